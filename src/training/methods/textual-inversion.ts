/** Textual inversion: only the embeddings of a token. */
import type { TrainingMethod } from "./method.ts";

export const textualInversion: TrainingMethod = {
  summary: "new token embeddings only",
  lora: false,
  matrices: false,
  learned: { vectors: 1, initializer: "noun" },
  prior: false,
  semantic: false,
  augmentation: false,
  flip: false,
  batch: 4,
  learningRate: 2e-3,
  steps: 1000,
  prompt: "a {token}",
};
