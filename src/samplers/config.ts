/**
 * A folder's scheduler_config.json, of whatever class, read for one of our samplers.
 *
 * The rule is that of `from_config` in Diffusers: keys the sampler's class knows count, those it does not know are
 * ignored, and absent ones take that class's own defaults (which is why each sampler has a schema of its own).
 */

import { z } from "zod";
import { TillerError } from "../errors.ts";

const predictionType = z.enum(["epsilon", "v_prediction", "sample"]).default("epsilon");
const spacing = z.enum(["leading", "linspace", "trailing"]);
const unsupported = z.literal(false).nullish();
const positive = z.number().positive().nullish();

const training = {
  num_train_timesteps: z.int().positive().max(1_000_000).default(1000),
  beta_start: z.number().nonnegative().default(0.0001),
  beta_end: z.number().nonnegative().default(0.02),
  beta_schedule: z.enum(["linear", "scaled_linear", "squaredcos_cap_v2"]).default("linear"),
  trained_betas: z.array(z.number()).nullish(),
  rescale_betas_zero_snr: z.boolean().default(false),
  steps_offset: z.int().nonnegative().default(0),
};

/** Spacings other than Karras's that Diffusers can be told to use. */
const otherSigmas = { use_exponential_sigmas: unsupported, use_beta_sigmas: unsupported };

const schemas = {
  ddim: z.object({
    ...training,
    prediction_type: predictionType,
    timestep_spacing: spacing.default("leading"),
    set_alpha_to_one: z.boolean().default(true),
    clip_sample: z.boolean().default(true),
    clip_sample_range: z.number().positive().default(1),
    thresholding: unsupported,
  }),
  "dpm++": z.object({
    ...training,
    ...otherSigmas,
    prediction_type: predictionType,
    timestep_spacing: spacing.default("linspace"),
    // Solvers of other classes that Diffusers reads as these two.
    algorithm_type: z.enum(["dpmsolver++", "deis"]).default("dpmsolver++"),
    solver_type: z
      .enum(["midpoint", "heun", "logrho", "bh1", "bh2"])
      .default("midpoint")
      .transform((type) => (type === "heun" ? "heun" : "midpoint")),
    solver_order: z.literal([1, 2]).default(2),
    lower_order_final: z.boolean().default(true),
    euler_at_final: z.boolean().default(false),
    final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
    // Python writes the default, minus infinity, in a form that is not JSON; readers make null or a string of it.
    lambda_min_clipped: z.preprocess(
      (value) => (value === null || value === "-Infinity" || value === Number.NEGATIVE_INFINITY ? undefined : value),
      z.number().optional(),
    ),
    use_karras_sigmas: z.boolean().nullish(),
    sigma_min: positive,
    sigma_max: positive,
    thresholding: unsupported,
    use_lu_lambdas: unsupported,
    use_flow_sigmas: unsupported,
    variance_type: z.literal(["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]).nullish(),
  }),
  euler: z.object({
    ...training,
    ...otherSigmas,
    prediction_type: predictionType,
    timestep_spacing: spacing.default("linspace"),
    timestep_type: z.literal("discrete").default("discrete"),
    interpolation_type: z.enum(["linear", "log_linear"]).default("linear"),
    final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
    use_karras_sigmas: z.boolean().nullish(),
    sigma_min: positive,
    sigma_max: positive,
  }),
  "euler-a": z.object({
    ...training,
    prediction_type: z.enum(["epsilon", "v_prediction"]).default("epsilon"),
    timestep_spacing: spacing.default("linspace"),
  }),
};

/** The samplers by the names users call them. */
export type SamplerName = keyof typeof schemas;

/** A scheduler config as the sampler of that name understands it, defaults filled in. */
export type SamplerConfig<Name extends SamplerName> = z.infer<(typeof schemas)[Name]>;

/** The names, for a message or a list of choices. */
export const samplerNames = Object.keys(schemas) as readonly SamplerName[];

/**
 * Reads a scheduler config for one sampler.
 *
 * @throws TillerError naming the key, if a value is not one this sampler can follow.
 */
export function parseConfig<Name extends SamplerName>(
  name: Name,
  config: Readonly<Record<string, unknown>>,
): SamplerConfig<Name> {
  const parsed = schemas[name].safeParse(config);
  if (parsed.success) return parsed.data as SamplerConfig<Name>;
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0] ?? "");
  const value = JSON.stringify(config[key])?.slice(0, 80);
  throw new TillerError(
    `The scheduler config has "${key}": ${value}, which the ${name} sampler cannot follow (${issue.message}); correct the key or choose another sampler.`,
  );
}
