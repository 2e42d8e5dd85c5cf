/** Euler with ancestral noise, with the semantics of Diffusers' EulerAncestralDiscreteScheduler. */

import { z } from "zod";
import { explodingCleanOf } from "../schedules/prediction.ts";
import { spacing, training } from "./config.ts";
import { eulerStep } from "./euler.ts";
import { eulerSchedule } from "./euler-schedule.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";

const f32 = Math.fround;

const schema = z.object({
  ...training,
  prediction_type: z.enum(["epsilon", "v_prediction"]).default("epsilon"),
  timestep_spacing: spacing.default("linspace"),
});
type Config = z.infer<typeof schema>;

export const eulerAncestral = samplerKind({
  name: "euler-a",
  label: "Euler a",
  karras: false,
  forms: ["variance preserving"],
  schema,
  create,
});

/**
 * Euler's step goes down to sigma_down, and fresh noise brings it up to sigma' (k-diffusion, sample_euler_ancestral):
 *
 *     sigma_up   = sqrt(sigma'^2 (sigma^2 - sigma'^2) / sigma^2)
 *     sigma_down = sqrt(sigma'^2 - sigma_up^2)
 *     x'         = x + (x - D) / sigma (sigma_down - sigma) + sigma_up noise
 *
 * CFG++: x' = D + sigma_down (x - D~) / sigma + sigma_up noise. Noise is drawn at the last step too, where its weight
 * is 0, to stay in step with PyTorch's generator.
 */
function create(config: Config, steps: number): Sampler {
  const { sigmas, ...schedule } = eulerSchedule(config, steps, false);
  return {
    ...schedule,
    step({ latents, prediction, step, noise }) {
      const sigma = sigmas[step]!;
      const [variance, nextVariance] = [f32(sigma ** 2), f32(sigmas[step + 1]! ** 2)];
      const up = f32(Math.sqrt(f32(f32(nextVariance * f32(variance - nextVariance)) / variance)));
      const down = f32(Math.sqrt(f32(nextVariance - f32(up * up))));

      const toClean = (output: Float32Array) => explodingCleanOf(config.prediction_type, latents, output, sigma);
      const clean = toClean(prediction.output);
      const lower = eulerStep(latents, clean, prediction.renoise && toClean(prediction.renoise), sigma, down);
      const fresh = noise.normal(latents.length);
      return { latents: lower.map((x, i) => x + f32(fresh[i]! * up)), clean };
    },
  };
}
