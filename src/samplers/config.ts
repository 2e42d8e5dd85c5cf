/**
 * Keys of scheduler_config.json shared by several samplers.
 *
 * As in Diffusers' `from_config`, keys that the sampler's class does not know are ignored, and absent ones take that
 * class's defaults; hence each sampler has its own schema.
 */

import { z } from "zod";

export const predictionType = z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon");
export const anyPredictionType = z.enum(["epsilon", "v_prediction", "sample", "flow_prediction"]).default("epsilon");
export const spacing = z.enum(["leading", "linspace", "trailing"]);
/** A boolean; as in Diffusers, null counts as false whatever the default. */
export const flag = (usual: boolean) =>
  z
    .boolean()
    .nullable()
    .default(usual)
    .transform((value) => value ?? false);
export const unsupported = z.literal(false).nullish();
export const positive = z.number().positive().nullish();

export const training = {
  num_train_timesteps: z.int().positive().max(1_000_000).default(1000),
  beta_start: z.number().nonnegative().default(0.0001),
  beta_end: z.number().nonnegative().default(0.02),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).default("linear"),
  trained_betas: z.array(z.number()).nullish(),
  rescale_betas_zero_snr: flag(false),
  steps_offset: z.int().nonnegative().default(0),
};

/** Diffusers' other sigma spacings, not supported here. */
export const otherSigmas = { use_exponential_sigmas: unsupported, use_beta_sigmas: unsupported };

/**
 * Noisy latents are x = alpha x0 + sigma eps, with alpha^2 + sigma^2 = 1 ("variance preserving") or alpha + sigma = 1 ("flow").
 * Samplers list the forms that they support.
 */
export type NoiseForm = "variance preserving" | "flow";

/** The form for a scheduler_config.json of any class. */
export const noiseFormOf = (config: Readonly<Record<string, unknown>>): NoiseForm =>
  config.use_flow_sigmas === true ||
  config.prediction_type === "flow_prediction" ||
  String(config._class_name).startsWith("FlowMatch")
    ? "flow"
    : "variance preserving";

/**
 * A flow's config with the keys of both scheduler classes: DPM-Solver++ calls the shift `flow_shift`, the Euler scheduler `shift`,
 * and only the former's config says that it is a flow.
 */
export const flowConfig = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const shift = config.flow_shift ?? config.shift ?? 1;
  return { use_flow_sigmas: true, prediction_type: "flow_prediction", ...config, flow_shift: shift, shift };
};
