/** Timesteps and sigmas shared by Euler and Euler ancestral, for latents in k-diffusion's form, x = x0 + sigma eps. */

import { noisy } from "../schedules/prediction.ts";
import { linspaceFloat32, nonZeroAlphasCumprod, type TrainingSchedule, trainingSigmas } from "../schedules/schedule.ts";
import {
  interpolate,
  karrasSigmas,
  leadingTimesteps,
  linspaceTimesteps,
  type TimestepSpacing,
  timestepOfSigma,
  trailingTimesteps,
} from "./spacing.ts";

const f32 = Math.fround;

/** What Euler's schedule depends on. */
export interface EulerScheduleConfig extends TrainingSchedule {
  readonly timestep_spacing: TimestepSpacing;
  readonly steps_offset: number;
  readonly interpolation_type?: "linear" | "log_linear";
  readonly final_sigmas_type?: "zero" | "sigma_min";
  readonly sigma_min?: number | null | undefined;
  readonly sigma_max?: number | null | undefined;
}

/** One sigma for each timestep, then the one the last step ends at. */
export interface EulerSchedule {
  readonly timesteps: number[];
  readonly sigmas: Float32Array;
  readonly initNoiseSigma: number;
  /** x / sqrt(sigma^2 + 1): the variance-preserving form the network was trained on. */
  scale(latents: Float32Array, step: number): Float32Array;
  /** x0 + sigma eps. */
  addNoise(clean: Float32Array, noise: Float32Array, step: number): Float32Array;
}

/** The schedule of Diffusers' Euler schedulers. */
export function eulerSchedule(config: EulerScheduleConfig, steps: number, karras: boolean): EulerSchedule {
  const training = trainingSigmas(nonZeroAlphasCumprod(config));
  let timesteps = spacedTimesteps(config, steps);
  let inner: number[];
  if (config.interpolation_type === "log_linear") {
    const logs = [training.at(-1)!, training[0]!].map((sigma) => f32(Math.log(sigma))) as [number, number];
    inner = Array.from(linspaceFloat32(...logs, steps + 1), (log) => f32(Math.exp(log)));
  } else {
    inner = timesteps.map((timestep) => interpolate(training, timestep));
  }
  if (karras) {
    inner = karrasSigmas(config.sigma_max ?? inner[0]!, config.sigma_min ?? inner.at(-1)!, steps);
    timesteps = inner.map((sigma) => f32(timestepOfSigma(sigma, training)));
  }
  const sigmas = Float32Array.from([...inner, config.final_sigmas_type === "sigma_min" ? training[0]! : 0]);

  const max = Math.max(...sigmas);
  return {
    timesteps,
    sigmas,
    initNoiseSigma: config.timestep_spacing === "leading" ? norm(max) : max,
    scale(latents, step) {
      const divisor = norm(sigmas[step]!);
      return latents.map((x) => x / divisor);
    },
    addNoise: (clean, noise, step) => noisy(clean, noise, 1, sigmas[step]!),
  };
}

/** sqrt(sigma^2 + 1), the standard deviation of x where that of x0 is 1. */
const norm = (sigma: number): number => f32(Math.sqrt(f32(f32(sigma * sigma) + 1)));

function spacedTimesteps(config: EulerScheduleConfig, steps: number): number[] {
  const trainSteps = config.num_train_timesteps;
  switch (config.timestep_spacing) {
    case "leading":
      return leadingTimesteps(trainSteps, steps, config.steps_offset);
    case "linspace":
      return linspaceTimesteps(trainSteps - 1, steps).map(f32);
    case "trailing":
      return trailingTimesteps(trainSteps, trainSteps, steps);
  }
}
