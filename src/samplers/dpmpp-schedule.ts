/** The timesteps and noise levels of DPM-Solver++, for variance-preserving noise or a flow. */

import { TillerError } from "../errors/index.ts";
import { roundHalfEven } from "../rounding.ts";
import { shifted } from "../schedules/flow.ts";
import { nonZeroAlphasCumprod, type TrainingSchedule, trainingSigmas } from "../schedules/schedule.ts";
import {
  interpolate,
  karrasSigmas,
  leadingTimesteps,
  linspace,
  linspaceTimesteps,
  type TimestepSpacing,
  timestepOfSigma,
  trailingTimesteps,
} from "./spacing.ts";

const f32 = Math.fround;

/** What the schedule depends on. */
export interface DpmScheduleConfig extends TrainingSchedule {
  readonly timestep_spacing: TimestepSpacing;
  readonly steps_offset: number;
  readonly final_sigmas_type: "zero" | "sigma_min";
  readonly lambda_min_clipped?: number | undefined;
  readonly sigma_min?: number | null | undefined;
  readonly sigma_max?: number | null | undefined;
  readonly use_flow_sigmas: boolean;
  readonly flow_shift: number;
}

/** x = alpha x0 + sigma eps, lambda = log(alpha / sigma), which is infinite where sigma is 0. */
export interface NoiseLevel {
  readonly alpha: number;
  readonly sigma: number;
  readonly lambda: number;
}

/** One timestep and one level per step, and the level after the last step. */
export interface DpmSchedule {
  readonly timesteps: readonly number[];
  readonly levels: readonly NoiseLevel[];
}

/**
 * The schedule of Diffusers' DPMSolverMultistepScheduler.
 *
 * @throws TillerError if there are so many steps that two share a timestep, or if the config contradicts itself.
 */
export function dpmSchedule(config: DpmScheduleConfig, steps: number, karras: boolean): DpmSchedule {
  const training = trainingSigmas(nonZeroAlphasCumprod(config));
  const final = config.final_sigmas_type === "zero" ? 0 : training[0]!;
  const levels = (sigmas: readonly number[], level: (sigma: number) => NoiseLevel) =>
    Array.from(Float32Array.from([...sigmas, final]), level);

  if (config.use_flow_sigmas) {
    const sigmas = flowSigmas(config, steps);
    return {
      // The network gets truncated timesteps. Two may be equal, since their sigmas are not.
      timesteps: sigmas.map((sigma) => Math.trunc(sigma * config.num_train_timesteps)),
      levels: levels(sigmas, flowLevel),
    };
  }

  if (karras) {
    const [max, min] = [config.sigma_max ?? training.at(-1)!, config.sigma_min ?? training[0]!];
    const sigmas = karrasSigmas(max, min, steps);
    const whole = config.beta_schedule === "squaredcos_cap_v2" ? Math.trunc : roundHalfEven;
    return {
      timesteps: sigmas.map((sigma) => whole(timestepOfSigma(sigma, training))),
      levels: levels(sigmas, preservingLevel),
    };
  }

  const timesteps = spacedTimesteps(config, steps);
  if (new Set(timesteps).size < timesteps.length) {
    throw new TillerError(
      "steps-invalid",
      `${steps} steps of dpm++ with ${config.timestep_spacing} spacing visit a timestep twice; ask for fewer steps.`,
    );
  }
  const sigmas = timesteps.map((timestep) => interpolate(training, timestep));
  return { timesteps, levels: levels(sigmas, preservingLevel) };
}

/** The variance-preserving level for k-diffusion's sigma. */
function preservingLevel(sigma: number): NoiseLevel {
  const alpha = f32(1 / f32(Math.sqrt(f32(f32(sigma * sigma) + 1))));
  return levelOf(alpha, f32(sigma * alpha));
}

/** The level of a flow. sigma is already in float32: near 1, 1 - sigma has four digits less. */
const flowLevel = (sigma: number): NoiseLevel => levelOf(f32(1 - sigma), sigma);

const levelOf = (alpha: number, sigma: number): NoiseLevel => ({
  alpha,
  sigma,
  lambda: f32(f32(Math.log(alpha)) - f32(Math.log(sigma))),
});

/** Even steps from 1 - 1 / num_train_timesteps down to 0, without the 0; then shifted. */
const flowSigmas = ({ num_train_timesteps: count, flow_shift: shift }: DpmScheduleConfig, steps: number): number[] =>
  linspace(1, 1 / count, steps + 1)
    .map((clean) => shifted(1 - clean, shift))
    .reverse()
    .slice(0, -1);

/** Linspace and leading spacing compute one more point, the clean end, and drop it. */
function spacedTimesteps(config: DpmScheduleConfig, steps: number): number[] {
  const reachable = reachableTimesteps(config);
  switch (config.timestep_spacing) {
    case "leading":
      return leadingTimesteps(reachable, steps + 1, config.steps_offset).slice(0, -1);
    case "linspace":
      return linspaceTimesteps(reachable - 1, steps + 1)
        .map(roundHalfEven)
        .slice(0, -1);
    case "trailing":
      return trailingTimesteps(reachable, config.num_train_timesteps, steps);
  }
}

/** How many timesteps have a lambda of at least `lambda_min_clipped`; the cosine schedule does not use the rest. */
function reachableTimesteps(config: DpmScheduleConfig): number {
  const minimum = config.lambda_min_clipped;
  const alphas = nonZeroAlphasCumprod(config);
  if (minimum === undefined) return alphas.length;
  const lambdas = alphas.map((a) => f32(Math.log(f32(Math.sqrt(a)))) - f32(Math.log(f32(Math.sqrt(f32(1 - a))))));
  const reachable = lambdas.filter((lambda) => lambda >= f32(minimum)).length;
  if (reachable > 0) return reachable;
  throw new TillerError(
    "scheduler-unsupported",
    `The scheduler config's lambda_min_clipped ${minimum} leaves no timestep, as lambda ends at ${lambdas[0]}; lower it or remove the key.`,
  );
}
