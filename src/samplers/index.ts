/** Names, scheduler config parsing and lookup by name, derived from the list of samplers. */

import type { z } from "zod";
import { TillerError } from "../errors/index.ts";
import { flowConfig, noiseFormOf } from "./config.ts";
import type { SamplerKind, ScheduleConfig } from "./kind.ts";
import type { Sampler } from "./sampler.ts";
import { samplers as listed } from "./samplers.ts";

export { createNoise, type NoiseSource } from "../random/noise.ts";
export type { Prediction, PredictionType } from "../schedules/prediction.ts";
export type { NoiseForm } from "./config.ts";
export type { SamplerKind } from "./kind.ts";
export type { History, Sampler, SamplerResult, SamplerStep } from "./sampler.ts";

type Listed = (typeof listed)[number];

/**
 * The samplers by the names users call them.
 *
 * @useDeclaredType
 */
export type SamplerName = Listed["name"];

/** A scheduler config as parsed for that sampler, with defaults filled in. */
export type SamplerConfig<Name extends SamplerName> = z.infer<Extract<Listed, { readonly name: Name }>["schema"]>;

/** A sampler's description. */
export interface SamplerDescription extends Omit<SamplerKind, "name" | "schema" | "create"> {
  /** Its name in requests. */
  readonly name: SamplerName;
}

/** All samplers. */
export const samplers: readonly SamplerDescription[] = listed.map(
  ({ schema: _, create: __, ...described }) => described,
);

/** Their names. */
export const samplerNames: readonly SamplerName[] = samplers.map(({ name }) => name);

/** Those with Karras spacing. */
export const karrasSamplerNames: readonly SamplerName[] = samplers.flatMap(({ name, karras }) => (karras ? name : []));

export const samplerOf = (name: SamplerName): SamplerKind =>
  (listed as readonly SamplerKind[]).find((one) => one.name === name)!;

/** Diffusers classes with noise schedules of their own, neither DDPM's nor a flow's; the others read each other's configs. */
const otherSchedules =
  /^(EDM|ScoreSde|KarrasVe|CMStochastic|ConsistencyDecoder|VQDiffusion|Amused|CosineDPM|DDPMWuerstchen)/;

/**
 * Parses a folder's scheduler_config.json, written by any scheduler class, for one sampler.
 *
 * @throws TillerError naming the key, if the sampler does not support its value.
 */
export function parseConfig<Name extends SamplerName>(
  name: Name,
  config: Readonly<Record<string, unknown>>,
): SamplerConfig<Name> {
  const className = String(config._class_name);
  const { forms } = samplerOf(name);
  if (className.startsWith("FlowMatch") ? !forms.includes("flow") : otherSchedules.test(className)) {
    throw new TillerError(
      "scheduler-unsupported",
      `The scheduler config is of class ${JSON.stringify(className)}, whose noise schedule the ${name} sampler does not have.`,
    );
  }
  const parsed = samplerOf(name).schema.safeParse(config);
  if (parsed.success) return parsed.data as SamplerConfig<Name>;
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0] ?? "");
  const value = JSON.stringify(config[key])?.slice(0, 80);
  throw new TillerError(
    "scheduler-unsupported",
    `The scheduler config has "${key}": ${value}, which the ${name} sampler does not support (${issue.message}); correct the key or choose another sampler.`,
  );
}

/**
 * Creates a sampler for a model folder's noise schedule. It equals what Diffusers makes of the same scheduler_config.json with
 * `DDIMScheduler.from_config`, `DPMSolverMultistepScheduler.from_config`, `EulerDiscreteScheduler.from_config`,
 * `EulerAncestralDiscreteScheduler.from_config` or `FlowMatchEulerDiscreteScheduler.from_config`, whichever class wrote it; except
 * that a flow keeps its shift, which Diffusers loses between classes because one calls it `flow_shift` and the other `shift`.
 *
 * @param steps number of steps, 1 to the config's num_train_timesteps.
 * @param options `karras`: use Karras sigmas, if the sampler has them; if unset, the config decides.
 * @throws TillerError for an unknown name, a number of steps the schedule does not allow, or Karras spacing with a
 *   sampler that has none.
 * @throws TillerError naming the key, if the config asks for something the sampler does not support.
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
  const form = noiseFormOf(schedulerConfig);
  if (!kind.forms.includes(form)) {
    const fitting = samplers.flatMap((one) => (one.forms.includes(form) ? one.name : []));
    throw new TillerError(
      "sampler-unsuited",
      `The ${name} sampler is not defined for this model, which is ${form === "flow" ? "a" : "not a"} flow model; use ${fitting.join(" or ")}.`,
    );
  }
  if (options.karras && form === "flow") {
    throw new TillerError("karras-unsupported", "Karras spacing is not defined for a flow model; leave it out.");
  }
  if (options.karras && !kind.karras) {
    throw new TillerError(
      "karras-unsupported",
      `The ${name} sampler has no Karras spacing; use ${karrasSamplerNames.join(" or ")}, or leave Karras out.`,
    );
  }
  const known = form === "flow" ? flowConfig(schedulerConfig) : schedulerConfig;
  const config = checkSteps<ScheduleConfig>(parseConfig(name, known), steps);
  return kind.create(config, steps, { karras: kind.karras && (options.karras ?? config.use_karras_sigmas ?? false) });
}

function checkSteps<Config extends { readonly num_train_timesteps: number }>(config: Config, steps: number): Config {
  if (!Number.isInteger(steps) || steps < 1 || steps > config.num_train_timesteps) {
    throw new TillerError(
      "steps-invalid",
      `The number of steps is ${steps}; give a whole number from 1 to ${config.num_train_timesteps}, the number of timesteps the model was trained with.`,
    );
  }
  return config;
}
