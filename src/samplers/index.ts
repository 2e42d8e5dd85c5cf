/** Samplers: from noise to a picture in a number of steps, one small file each. */

import { UsageError } from "../errors.ts";
import { parseConfig, type SamplerName, samplerNames } from "./config.ts";
import { ddim } from "./ddim.ts";
import { dpmSolverPlusPlus } from "./dpmpp.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import type { Sampler } from "./sampler.ts";

export { createNoise, type NoiseSource } from "../random/noise.ts";
export type { Prediction, PredictionType } from "../schedules/prediction.ts";
export { type SamplerName, samplerNames } from "./config.ts";
export type { History, Sampler, SamplerResult, SamplerStep } from "./sampler.ts";

/**
 * A sampler for the noise schedule of a model folder: what Diffusers makes of the same scheduler_config.json with
 * `DDIMScheduler.from_config`, `DPMSolverMultistepScheduler.from_config`, `EulerDiscreteScheduler.from_config` or
 * `EulerAncestralDiscreteScheduler.from_config`, whichever class wrote it.
 *
 * @param steps how many, from 1 to the config's num_train_timesteps.
 * @param options `karras`: space the sigmas as Karras et al. do (dpm++ and euler only); unset, the config decides.
 * @throws UsageError for an unknown name, a number of steps the schedule cannot give, or Karras spacing where there is none.
 * @throws TillerError if the config asks for something that sampler cannot do, naming the key.
 */
export function createSampler(
  name: SamplerName,
  schedulerConfig: Readonly<Record<string, unknown>>,
  steps: number,
  options: { readonly karras?: boolean | undefined } = {},
): Sampler {
  if (!samplerNames.includes(name)) {
    throw new UsageError(`There is no sampler "${name}"; choose one of ${samplerNames.join(", ")}.`);
  }
  if (options.karras && (name === "ddim" || name === "euler-a")) {
    throw new UsageError(`The ${name} sampler has no Karras spacing; use dpm++ or euler, or leave it out.`);
  }
  switch (name) {
    case "ddim":
      return ddim(checkSteps(parseConfig(name, schedulerConfig), steps), steps);
    case "dpm++": {
      const config = checkSteps(parseConfig(name, schedulerConfig), steps);
      return dpmSolverPlusPlus(config, steps, options.karras ?? config.use_karras_sigmas ?? false);
    }
    case "euler": {
      const config = checkSteps(parseConfig(name, schedulerConfig), steps);
      return euler(config, steps, options.karras ?? config.use_karras_sigmas ?? false);
    }
    case "euler-a":
      return eulerAncestral(checkSteps(parseConfig(name, schedulerConfig), steps), steps);
  }
}

function checkSteps<Config extends { readonly num_train_timesteps: number }>(config: Config, steps: number): Config {
  if (!Number.isInteger(steps) || steps < 1 || steps > config.num_train_timesteps) {
    throw new UsageError(
      `The number of steps is ${steps}; give a whole number from 1 to ${config.num_train_timesteps}, the timesteps the model was trained with.`,
    );
  }
  return config;
}
