/** DB-LoRA with textual inversion: two embeddings learned at the LoRA's learning rate. */
import { dreambooth } from "./dreambooth.ts";
import type { TrainingMethod } from "./method.ts";

export const dreamboothTi: TrainingMethod = {
  ...dreambooth,
  summary: "DB-LoRA with new token embeddings",
  learned: { vectors: 2, initializer: "random" },
};
