/** Custom Diffusion: the cross-attention key and value matrices and one token, with class images. */
import type { TrainingMethod } from "./method.ts";

export const customDiffusion: TrainingMethod = {
  summary: "cross-attention keys and values and a token, with prior preservation",
  lora: false,
  matrices: true,
  learned: { vectors: 1, initializer: { word: "ktn" } },
  prior: true,
  semantic: false,
  augmentation: true,
  flip: true,
  batch: 2,
  learningRate: 4e-5,
  steps: 500,
  prompt: "a {token} {class}",
};
