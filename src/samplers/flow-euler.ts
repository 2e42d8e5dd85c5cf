/** Euler's method on a flow, with the semantics of Diffusers' FlowMatchEulerDiscreteScheduler. */

import { z } from "zod";
import { shifted } from "../schedules/flow.ts";
import { cleanOf, noiseOf, noisy } from "../schedules/prediction.ts";
import { otherSigmas, training, unsupported } from "./config.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";
import { linspace } from "./spacing.ts";

const f32 = Math.fround;

const schema = z.object({
  ...otherSigmas,
  num_train_timesteps: training.num_train_timesteps,
  shift: z.number().positive().default(1),
  prediction_type: z.literal("flow_prediction").default("flow_prediction"),
  use_karras_sigmas: unsupported,
  use_dynamic_shifting: unsupported,
  invert_sigmas: unsupported,
  stochastic_sampling: unsupported,
  shift_terminal: z.null().optional(),
});
type Config = z.infer<typeof schema>;

export const flowEuler = samplerKind({
  name: "flow-euler",
  label: "Flow Euler",
  karras: false,
  forms: ["flow"],
  schema,
  create,
});

/**
 * With x = (1 - sigma) x0 + sigma eps and v = eps - x0 the network's flow (arXiv 2209.03003, eq. 1):
 *
 *     x' = x + (sigma' - sigma) v
 *
 * CFG++ takes x0 from the guided v and eps from the unguided one: x' = (1 - sigma') x0 + sigma' eps~. If the two are equal, this
 * is the line above.
 */
function create(config: Config, steps: number): Sampler {
  const sigmas = flowEulerSigmas(config, steps);
  return {
    timesteps: Array.from(sigmas.subarray(0, -1), (sigma) => f32(sigma * config.num_train_timesteps)),
    initNoiseSigma: 1,
    scale: (latents) => latents,
    addNoise: (clean, noise, step) => noisy(clean, noise, f32(1 - sigmas[step]!), sigmas[step]!),
    step({ latents, prediction: { output, renoise }, step }) {
      const [sigma, nextSigma] = [sigmas[step]!, sigmas[step + 1]!];
      const clean = cleanOf("flow_prediction", latents, output, f32(1 - sigma), sigma);
      if (renoise) {
        const noise = noiseOf("flow_prediction", latents, renoise, f32(1 - sigma), sigma);
        return { latents: clean.map((x0, i) => f32(f32(1 - nextSigma) * x0) + f32(nextSigma * noise[i]!)), clean };
      }
      const change = f32(nextSigma - sigma);
      return { latents: latents.map((x, i) => x + f32(change * output[i]!)), clean };
    },
  };
}

/**
 * Even steps between the ends of the shifted training sigmas, shifted again; then 0.
 *
 * Diffusers shifts twice: its constructor already shifts the ends.
 */
export function flowEulerSigmas(
  { num_train_timesteps: count, shift }: Pick<Config, "num_train_timesteps" | "shift">,
  steps: number,
): Float32Array {
  const ends = [1, 1 / count].map((sigma) => {
    const [above, below] = [f32(shift * f32(sigma)), f32(1 + f32((shift - 1) * f32(sigma)))];
    return f32(above / below);
  }) as [number, number];
  const timesteps = linspace(ends[0] * count, ends[1] * count, steps);
  return Float32Array.from([...timesteps.map((timestep) => shifted(timestep / count, shift)), 0]);
}
