/** Whether a model's text encoder and its denoiser may be in memory together. */
import type { Model } from "../families/family.ts";
import { totalMemory } from "../runtime/index.ts";

/** Of the memory there is, what weights may take; the rest is for what is computed and for all else on the machine. */
const share = 0.8;

/**
 * Where they may not, the text encoder is gone before the denoiser is built, and each request builds both anew. Only families
 * whose text encoder no adapter changes, and which encode prompts one by one, can have it so.
 */
export function mustBeApart({ components, text }: Pick<Model, "components" | "text">, memory = totalMemory()): boolean {
  if (!text.feeds || memory === undefined) return false;
  let bytes = 0;
  for (const { weights } of components.values()) {
    // As float32, which is what the CPU computes in.
    for (const { shape } of weights.values()) bytes += 4 * shape.reduce((a, b) => a * b, 1);
  }
  return bytes > share * memory;
}
