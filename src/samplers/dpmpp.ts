/**
 * DPM-Solver++ 2M (Lu et al., arXiv 2211.01095), optionally with Karras sigmas, or with flow sigmas for flow models, with the
 * semantics of Diffusers' DPMSolverMultistepScheduler.
 */

import { z } from "zod";
import { cleanOf, noisy } from "../schedules/prediction.ts";
import { anyPredictionType, flag, otherSigmas, positive, spacing, training, unsupported } from "./config.ts";
import { dpmSchedule } from "./dpmpp-schedule.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";

const f32 = Math.fround;

const schema = z
  .object({
    ...training,
    ...otherSigmas,
    prediction_type: anyPredictionType,
    timestep_spacing: spacing.default("linspace"),
    // Also takes other schedulers' names, which Diffusers maps to dpmsolver++ and midpoint.
    algorithm_type: z.enum(["dpmsolver++", "deis"]).default("dpmsolver++"),
    solver_type: z
      .enum(["midpoint", "heun", "logrho", "bh1", "bh2"])
      .default("midpoint")
      .transform((type) => (type === "heun" ? "heun" : "midpoint")),
    solver_order: z.literal([1, 2]).default(2),
    lower_order_final: flag(true),
    euler_at_final: flag(false),
    final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
    // Python writes the default as -Infinity, which is not JSON; parsers read it as null or a string.
    lambda_min_clipped: z.preprocess(
      (value) => (value === null || value === "-Infinity" || value === Number.NEGATIVE_INFINITY ? undefined : value),
      z.number().optional(),
    ),
    use_karras_sigmas: z.boolean().nullish(),
    sigma_min: positive,
    sigma_max: positive,
    thresholding: unsupported,
    use_lu_lambdas: unsupported,
    use_flow_sigmas: flag(false),
    use_dynamic_shifting: unsupported,
    flow_shift: z.number().positive().default(1),
    variance_type: z.literal(["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]).nullish(),
  })
  .superRefine((config, context) => {
    const flow = config.use_flow_sigmas;
    const refuse = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (flow !== (config.prediction_type === "flow_prediction")) {
      refuse("prediction_type", `use_flow_sigmas is ${flow}`);
    }
    if (flow && config.use_karras_sigmas) refuse("use_karras_sigmas", "use_flow_sigmas is true");
  });
type Config = z.infer<typeof schema>;

export const dpmSolverPlusPlus = samplerKind({
  name: "dpm++",
  label: "DPM++ 2M",
  karrasLabel: "DPM++ 2M Karras",
  karras: true,
  forms: ["variance preserving", "flow"],
  schema,
  create,
});

/**
 * With x = alpha x0 + sigma eps, lambda = log(alpha / sigma), D the clean latents the network predicts, s the step
 * before, h = lambda' - lambda and r = (lambda - lambda_s) / h, the midpoint form (arXiv 2211.01095, algorithm 2) is
 *
 *     x' = (sigma' / sigma) x - alpha' (exp(-h) - 1) (D + (D - D_s) / 2r)
 *
 * and the heun form has alpha' ((exp(-h) - 1) / h + 1) in place of -alpha' (exp(-h) - 1) / 2. The first step has no
 * difference term (order 1); nor has the last, if it ends at sigma 0 or the config asks for it.
 *
 * CFG++ uses D~, from the unguided output, wherever x is re-noised or D is remembered:
 *
 *     x' = alpha' D + (sigma' / sigma) x - alpha' exp(-h) D~ - alpha' (exp(-h) - 1) (D - D~_s) / 2r
 *
 * A flow has alpha = 1 - sigma; nothing else differs.
 *
 * @throws TillerError if there are so many steps that two share a timestep.
 */
function create(config: Config, steps: number, { karras }: { readonly karras: boolean }): Sampler {
  const { timesteps, levels } = dpmSchedule(config, steps, karras);
  const last = timesteps.length - 1;
  const lowerOrderAtLast =
    config.euler_at_final || (config.lower_order_final && timesteps.length < 15) || config.final_sigmas_type === "zero";

  return {
    timesteps,
    initNoiseSigma: 1,
    scale: (latents) => latents,
    addNoise: (clean, noise, step) => noisy(clean, noise, levels[step]!.alpha, levels[step]!.sigma),
    step({ latents, prediction, step, history }) {
      const [now, next] = [levels[step]!, levels[step + 1]!];
      const toClean = (output: Float32Array) => cleanOf(config.prediction_type, latents, output, now.alpha, now.sigma);
      const clean = toClean(prediction.output);
      const unguided = prediction.renoise && toClean(prediction.renoise);

      const h = f32(next.lambda - now.lambda);
      const ratio = f32(next.sigma / now.sigma);
      const decay = f32(Math.exp(-h));
      const gain = f32(next.alpha * f32(decay - 1));
      const first = unguided
        ? latents.map(
            (x, i) => f32(f32(ratio * x) - f32(f32(next.alpha * decay) * unguided[i]!)) + f32(next.alpha * clean[i]!),
          )
        : latents.map((x, i) => f32(ratio * x) - f32(gain * clean[i]!));

      const remembered = { clean: unguided ?? clean };
      if (config.solver_order === 1 || !history || (step === last && lowerOrderAtLast)) {
        return { latents: first, clean, history: remembered };
      }

      const r = f32(f32(now.lambda - levels[step - 1]!.lambda) / h);
      const slope =
        config.solver_type === "heun" ? f32(next.alpha * f32(f32(f32(decay - 1) / h) + 1)) : -f32(0.5 * gain);
      const before = history.clean;
      const second = first.map((x, i) => x + f32(slope * f32(f32(1 / r) * f32(clean[i]! - before[i]!))));
      return { latents: second, clean, history: remembered };
    },
  };
}
