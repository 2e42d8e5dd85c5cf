/** Euler's method on the probability-flow ODE, with the semantics of Diffusers' EulerDiscreteScheduler. */

import { z } from "zod";
import { explodingCleanOf } from "../schedules/prediction.ts";
import { otherSigmas, positive, predictionType, spacing, training } from "./config.ts";
import { eulerSchedule } from "./euler-schedule.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";

const f32 = Math.fround;

const schema = z.object({
  ...training,
  ...otherSigmas,
  prediction_type: predictionType,
  timestep_spacing: spacing.default("linspace"),
  timestep_type: z.literal(["discrete", null as never]).optional(),
  interpolation_type: z.enum(["linear", "log_linear"]).default("linear"),
  final_sigmas_type: z.enum(["zero", "sigma_min"]).default("zero"),
  use_karras_sigmas: z.boolean().nullish(),
  sigma_min: positive,
  sigma_max: positive,
});
type Config = z.infer<typeof schema>;

export const euler = samplerKind({
  name: "euler",
  label: "Euler",
  karras: true,
  forms: ["variance preserving"],
  schema,
  create,
});

/**
 * With x = x0 + sigma eps and D the clean latents the network predicts (arXiv 2206.00364, algorithm 1):
 *
 *     d  = (x - D) / sigma
 *     x' = x + d (sigma' - sigma)
 *
 * CFG++ takes d from the unguided D~ and starts from the guided D: x' = D + sigma' (x - D~) / sigma.
 */
function create(config: Config, steps: number, { karras }: { readonly karras: boolean }): Sampler {
  const { sigmas, ...schedule } = eulerSchedule(config, steps, karras);
  return {
    ...schedule,
    step({ latents, prediction, step }) {
      const [sigma, nextSigma] = [sigmas[step]!, sigmas[step + 1]!];
      const toClean = (output: Float32Array) => explodingCleanOf(config.prediction_type, latents, output, sigma);
      const clean = toClean(prediction.output);
      return {
        latents: eulerStep(latents, clean, prediction.renoise && toClean(prediction.renoise), sigma, nextSigma),
        clean,
      };
    },
  };
}

/** One step from `sigma` to `nextSigma`; `unguided` is D~, if there is one. */
export function eulerStep(
  latents: Float32Array,
  clean: Float32Array,
  unguided: Float32Array | undefined,
  sigma: number,
  nextSigma: number,
): Float32Array {
  if (unguided) {
    return latents.map((x, i) => clean[i]! + f32(f32(f32(x - unguided[i]!) / sigma) * nextSigma));
  }
  const change = f32(nextSigma - sigma);
  return latents.map((x, i) => x + f32(f32(f32(x - clean[i]!) / sigma) * change));
}
