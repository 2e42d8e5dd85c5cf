/**
 * A full fine-tune: every weight of the denoiser.
 *
 * The learning rate is that of Diffusers' train_text_to_image.py, which drops no captions; the share is Stable Diffusion's own.
 */
import type { TrainingMethod } from "./method.ts";

export const full: TrainingMethod = {
  summary: "every weight of the denoiser, on pictures with captions; makes a network, not an adapter",
  lora: false,
  matrices: false,
  network: true,
  prior: false,
  semantic: false,
  augmentation: false,
  flip: false,
  batch: 4,
  learningRate: 1e-5,
  steps: 1000,
  captionDropout: 0.1,
  prompt: "",
};
