/** What follows from the list of samplers: their names, what each reads of a scheduler config, and one by its name. */

import type { z } from "zod";
import { TillerError } from "../errors/index.ts";
import type { SamplerKind, ScheduleConfig } from "./kind.ts";
import type { Sampler } from "./sampler.ts";
import { samplers as listed } from "./samplers.ts";

export { createNoise, type NoiseSource } from "../random/noise.ts";
export type { Prediction, PredictionType } from "../schedules/prediction.ts";
export type { SamplerKind } from "./kind.ts";
export type { History, Sampler, SamplerResult, SamplerStep } from "./sampler.ts";

type Listed = (typeof listed)[number];

/**
 * The samplers by the names users call them.
 *
 * @useDeclaredType
 */
export type SamplerName = Listed["name"];

/** A scheduler config as the sampler of that name understands it, defaults filled in. */
export type SamplerConfig<Name extends SamplerName> = z.infer<Extract<Listed, { readonly name: Name }>["schema"]>;

/** A sampler as people choose it. */
export interface SamplerDescription extends Omit<SamplerKind, "name" | "schema" | "create"> {
  /** As requests name it. */
  readonly name: SamplerName;
}

/** The samplers there are. */
export const samplers: readonly SamplerDescription[] = listed.map(
  ({ schema: _, create: __, ...described }) => described,
);

/** Their names. */
export const samplerNames: readonly SamplerName[] = samplers.map(({ name }) => name);

/** Those with Karras spacing. */
export const karrasSamplerNames: readonly SamplerName[] = samplers.flatMap(({ name, karras }) => (karras ? name : []));

export const samplerOf = (name: SamplerName): SamplerKind =>
  (listed as readonly SamplerKind[]).find((one) => one.name === name)!;

/** Classes of Diffusers whose noise is not added as DDPM adds it; the others read each other's configs. */
const otherSchedules =
  /^(FlowMatch|EDM|ScoreSde|KarrasVe|CMStochastic|ConsistencyDecoder|VQDiffusion|Amused|CosineDPM|DDPMWuerstchen)/;

/**
 * Reads a folder's scheduler_config.json, of whatever class, for one sampler.
 *
 * @throws TillerError naming the key, if a value is not one this sampler can follow.
 */
export function parseConfig<Name extends SamplerName>(
  name: Name,
  config: Readonly<Record<string, unknown>>,
): SamplerConfig<Name> {
  const { _class_name: className } = config;
  if (typeof className === "string" && otherSchedules.test(className))
    throw new TillerError(
      "scheduler-unsupported",
      `The scheduler config is of class ${JSON.stringify(className)}, whose noise schedule Tiller does not have: it draws with models of DDPM's.`,
    );
  const parsed = samplerOf(name).schema.safeParse(config);
  if (parsed.success) return parsed.data as SamplerConfig<Name>;
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0] ?? "");
  const value = JSON.stringify(config[key])?.slice(0, 80);
  throw new TillerError(
    "scheduler-unsupported",
    `The scheduler config has "${key}": ${value}, which the ${name} sampler cannot follow (${issue.message}); correct the key or choose another sampler.`,
  );
}

/**
 * A sampler for the noise schedule of a model folder: what Diffusers makes of the same scheduler_config.json with
 * `DDIMScheduler.from_config`, `DPMSolverMultistepScheduler.from_config`, `EulerDiscreteScheduler.from_config` or
 * `EulerAncestralDiscreteScheduler.from_config`, whichever class wrote it.
 *
 * @param steps how many, from 1 to the config's num_train_timesteps.
 * @param options `karras`: space the sigmas as Karras et al. do (of those that can); unset, the config decides.
 * @throws TillerError for an unknown name, a number of steps the schedule cannot give, or Karras spacing where there is none.
 * @throws TillerError if the config asks for something that sampler cannot do, naming the key.
 */
export function createSampler(
  name: SamplerName,
  schedulerConfig: Readonly<Record<string, unknown>>,
  steps: number,
  options: { readonly karras?: boolean | undefined } = {},
): Sampler {
  if (!samplerNames.includes(name)) {
    throw new TillerError(
      "sampler-unknown",
      `There is no sampler "${name}"; choose one of ${samplerNames.join(", ")}.`,
    );
  }
  const kind = samplerOf(name);
  if (options.karras && !kind.karras) {
    throw new TillerError(
      "karras-unsupported",
      `The ${name} sampler has no Karras spacing; use ${karrasSamplerNames.join(" or ")}, or leave it out.`,
    );
  }
  const config = checkSteps<ScheduleConfig>(parseConfig(name, schedulerConfig), steps);
  return kind.create(config, steps, { karras: kind.karras && (options.karras ?? config.use_karras_sigmas ?? false) });
}

function checkSteps<Config extends { readonly num_train_timesteps: number }>(config: Config, steps: number): Config {
  if (!Number.isInteger(steps) || steps < 1 || steps > config.num_train_timesteps) {
    throw new TillerError(
      "steps-invalid",
      `The number of steps is ${steps}; give a whole number from 1 to ${config.num_train_timesteps}, the timesteps the model was trained with.`,
    );
  }
  return config;
}
