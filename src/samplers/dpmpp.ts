/**
 * DPM-Solver++ 2M (Lu et al., arXiv 2211.01095), optionally on Karras sigmas, with the semantics of Diffusers'
 * DPMSolverMultistepScheduler.
 */

import { z } from "zod";
import { TillerError } from "../errors/index.ts";
import { roundHalfEven } from "../rounding.ts";
import { cleanOf } from "../schedules/prediction.ts";
import { nonZeroAlphasCumprod, trainingSigmas } from "../schedules/schedule.ts";
import { flag, otherSigmas, positive, predictionType, spacing, training, unsupported } from "./config.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";
import {
  interpolate,
  karrasSigmas,
  leadingTimesteps,
  linspaceTimesteps,
  timestepOfSigma,
  trailingTimesteps,
} from "./spacing.ts";

const f32 = Math.fround;

const schema = z.object({
  ...training,
  ...otherSigmas,
  prediction_type: predictionType,
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
  use_flow_sigmas: unsupported,
  variance_type: z.literal(["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"]).nullish(),
});
type Config = z.infer<typeof schema>;

export const dpmSolverPlusPlus = samplerKind({
  name: "dpm++",
  label: "DPM++ 2M",
  karrasLabel: "DPM++ 2M Karras",
  karras: true,
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
 * @throws TillerError if there are so many steps that two share a timestep.
 */
function create(config: Config, steps: number, { karras }: { readonly karras: boolean }): Sampler {
  const { timesteps, sigmas } = dpmSchedule(config, steps, karras);
  const last = timesteps.length - 1;
  const lowerOrderAtLast =
    config.euler_at_final || (config.lower_order_final && timesteps.length < 15) || config.final_sigmas_type === "zero";

  return {
    timesteps,
    initNoiseSigma: 1,
    scale: (latents) => latents,
    step({ latents, prediction, step, history }) {
      const now = noiseLevel(sigmas[step]!);
      const next = noiseLevel(sigmas[step + 1]!);
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

      const r = f32(f32(now.lambda - noiseLevel(sigmas[step - 1]!).lambda) / h);
      const slope =
        config.solver_type === "heun" ? f32(next.alpha * f32(f32(f32(decay - 1) / h) + 1)) : -f32(0.5 * gain);
      const before = history.clean;
      const second = first.map((x, i) => x + f32(slope * f32(f32(1 / r) * f32(clean[i]! - before[i]!))));
      return { latents: second, clean, history: remembered };
    },
  };
}

/** alpha, sigma and lambda of variance-preserving latents at k-diffusion's sigma. lambda is infinite at sigma 0. */
function noiseLevel(sigma: number): { alpha: number; sigma: number; lambda: number } {
  const alpha = f32(1 / f32(Math.sqrt(f32(f32(sigma * sigma) + 1))));
  const scaled = f32(sigma * alpha);
  return { alpha, sigma: scaled, lambda: f32(f32(Math.log(alpha)) - f32(Math.log(scaled))) };
}

function dpmSchedule(config: Config, steps: number, karras: boolean): { timesteps: number[]; sigmas: Float32Array } {
  const training = trainingSigmas(nonZeroAlphasCumprod(config));
  const final = config.final_sigmas_type === "zero" ? 0 : training[0]!;

  if (karras) {
    const [max, min] = [config.sigma_max ?? training.at(-1)!, config.sigma_min ?? training[0]!];
    const sigmas = karrasSigmas(max, min, steps);
    const whole = config.beta_schedule === "squaredcos_cap_v2" ? Math.trunc : roundHalfEven;
    return {
      timesteps: sigmas.map((sigma) => whole(timestepOfSigma(sigma, training))),
      sigmas: Float32Array.from([...sigmas, final]),
    };
  }

  const timesteps = spacedTimesteps(config, steps);
  if (new Set(timesteps).size < timesteps.length) {
    throw new TillerError(
      "steps-invalid",
      `${steps} steps of dpm++ with ${config.timestep_spacing} spacing visit a timestep twice; ask for fewer steps.`,
    );
  }
  return { timesteps, sigmas: Float32Array.from([...timesteps.map((t) => interpolate(training, t)), final]) };
}

/** Linspace and leading spacing are laid out with one extra point, the clean end, which is dropped. */
function spacedTimesteps(config: Config, steps: number): number[] {
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

/** The number of timesteps whose lambda is at least `lambda_min_clipped`: cuts the noisy end off the cosine schedule. */
function reachableTimesteps(config: Config): number {
  const minimum = config.lambda_min_clipped;
  const alphas = nonZeroAlphasCumprod(config);
  if (minimum === undefined) return alphas.length;
  const lambdas = alphas.map((a) => f32(Math.log(f32(Math.sqrt(a)))) - f32(Math.log(f32(Math.sqrt(f32(1 - a))))));
  const reachable = lambdas.filter((lambda) => lambda >= f32(minimum)).length;
  if (reachable > 0) return reachable;
  throw new TillerError(
    "scheduler-unsupported",
    `The scheduler config's lambda_min_clipped ${minimum} leaves no timestep, because lambda is at most ${lambdas[0]}; lower it or remove the key.`,
  );
}
