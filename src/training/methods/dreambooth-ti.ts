/** DB-LoRA and textual inversion at once: two embeddings learned at the LoRA's own rate. */
import { dreambooth } from "./dreambooth.ts";
import type { Recipe } from "./method.ts";

export const dreamboothTi: Recipe = {
  ...dreambooth,
  summary: "DB-LoRA with new token embeddings",
  learned: { vectors: 2, initializer: "random" },
};
