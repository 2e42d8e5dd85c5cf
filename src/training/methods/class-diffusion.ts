/**
 * ClassDiffusion: Custom Diffusion with the semantic preservation loss in place of class images.
 *
 * The learning rate is that of the released settings: 1e-5 for each of the batch's two pictures. Texts are pooled at their end
 * token, as in the paper; the released code pools the personal prompt at the new token, whose id is the largest (`pooling`). That it also
 * leaves the position embedding out there is not repeated.
 */
import { customDiffusion } from "./custom-diffusion.ts";
import type { TrainingMethod } from "./method.ts";

export const classDiffusion: TrainingMethod = {
  ...customDiffusion,
  summary: "cross-attention keys and values and a token, kept near the class by a semantic loss",
  prior: false,
  semantic: true,
  learningRate: 2e-5,
};
