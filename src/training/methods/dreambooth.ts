/** DreamBooth with LoRA (DB-LoRA), with the paper's settings: 500 steps at 1e-4, batch 1, prior preservation. */
import type { TrainingMethod } from "./method.ts";

export const dreambooth: TrainingMethod = {
  summary: "LoRA on the attention projections, with prior preservation (DB-LoRA)",
  lora: true,
  matrices: false,
  prior: true,
  semantic: false,
  augmentation: false,
  flip: false,
  batch: 1,
  learningRate: 1e-4,
  steps: 500,
  prompt: "a {token} {class}",
};
