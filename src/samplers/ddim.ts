/** DDIM (Song et al., arXiv 2010.02502), deterministic (eta 0), with the semantics of Diffusers' DDIMScheduler. */

import { z } from "zod";
import { TillerError } from "../errors/index.ts";
import { roundHalfEven } from "../rounding.ts";
import { cleanOf, noiseOf, noisy } from "../schedules/prediction.ts";
import { alphasCumprod } from "../schedules/schedule.ts";
import { flag, predictionType, spacing, training, unsupported } from "./config.ts";
import { samplerKind } from "./kind.ts";
import type { Sampler } from "./sampler.ts";
import { leadingTimesteps, linspaceTimesteps, trailingTimesteps } from "./spacing.ts";

const f32 = Math.fround;

const schema = z.object({
  ...training,
  prediction_type: predictionType,
  timestep_spacing: spacing.default("leading"),
  set_alpha_to_one: flag(true),
  clip_sample: flag(true),
  /** Null is allowed if nothing is clipped. */
  clip_sample_range: z.number().positive().nullable().default(1),
  thresholding: unsupported,
});
type Config = z.infer<typeof schema>;

export const ddim = samplerKind({
  name: "ddim",
  label: "DDIM",
  karras: false,
  forms: ["variance preserving"],
  schema,
  create,
});

/**
 * With a_t = alpha-bar_t and eps the network's noise (arXiv 2010.02502, eq. 12 at sigma_t = 0):
 *
 *     x0       = (x_t - sqrt(1 - a_t) eps) / sqrt(a_t)
 *     x_{prev} = sqrt(a_prev) x0 + sqrt(1 - a_prev) eps
 *
 * CFG++ (arXiv 2406.08070, algorithm 2) takes x0 from the guided eps and re-noises with the unguided one. After the
 * last step a_prev is 1, or a_0 if `set_alpha_to_one` is false, as in Stable Diffusion; then the latents keep a trace
 * of noise, which `clean` does not have.
 *
 * @throws TillerError if the last timesteps lie beyond the training range.
 * @throws TillerError if the schedule starts at zero SNR and the network predicts noise, which then does not determine x0.
 */
function create(config: Config, steps: number): Sampler {
  const alphas = alphasCumprod(config);
  const stride = Math.floor(alphas.length / steps);
  const finalAlpha = config.set_alpha_to_one ? 1 : alphas[0]!;
  const type = config.prediction_type;
  const timesteps = ddimTimesteps(config, steps);
  const range = config.clip_sample ? config.clip_sample_range : Number.POSITIVE_INFINITY;
  if (range === null)
    throw new TillerError(
      "scheduler-unsupported",
      "The scheduler config asks for clip_sample, but its clip_sample_range is null: set it to a number.",
    );

  if (timesteps[0]! >= alphas.length) {
    throw new TillerError(
      "steps-invalid",
      `${steps} steps with steps_offset ${config.steps_offset} reach timestep ${timesteps[0]}, beyond the ${alphas.length} the model was trained with; ask for fewer steps.`,
    );
  }
  if (type === "epsilon" && alphas[timesteps[0]!] === 0) {
    throw new TillerError(
      "scheduler-unsupported",
      'The scheduler config combines rescale_betas_zero_snr with prediction_type "epsilon", which at zero SNR does not determine the picture; set prediction_type "v_prediction" or choose another sampler.',
    );
  }

  return {
    timesteps,
    initNoiseSigma: 1,
    scale: (latents) => latents,
    addNoise(clean, noise, step) {
      const alphaBar = alphas[timesteps[step]!]!;
      return noisy(clean, noise, f32(Math.sqrt(alphaBar)), f32(Math.sqrt(f32(1 - alphaBar))));
    },
    step({ latents, prediction, step }) {
      const previous = timesteps[step]! - stride;
      const alphaBar = alphas[timesteps[step]!]!;
      const nextAlphaBar = previous >= 0 ? alphas[previous]! : finalAlpha;
      const [alpha, sigma] = [f32(Math.sqrt(alphaBar)), f32(Math.sqrt(f32(1 - alphaBar)))];
      const [nextAlpha, nextSigma] = [f32(Math.sqrt(nextAlphaBar)), f32(Math.sqrt(f32(1 - nextAlphaBar)))];

      const predicted = cleanOf(type, latents, prediction.output, alpha, sigma);
      const clean = config.clip_sample ? clamp(predicted, range) : predicted;
      const noise = noiseOf(type, latents, prediction.renoise ?? prediction.output, alpha, sigma);
      return { latents: clean.map((x0, i) => f32(nextAlpha * x0) + f32(nextSigma * noise[i]!)), clean };
    },
  };
}

function ddimTimesteps(config: Config, steps: number): number[] {
  const trainSteps = config.num_train_timesteps;
  switch (config.timestep_spacing) {
    case "leading":
      return leadingTimesteps(trainSteps, steps, config.steps_offset);
    case "linspace":
      return linspaceTimesteps(trainSteps - 1, steps).map(roundHalfEven);
    case "trailing":
      return trailingTimesteps(trainSteps, trainSteps, steps);
  }
}

const clamp = (values: Float32Array, limit: number): Float32Array =>
  values.map((value) => Math.min(Math.max(value, -limit), limit));
