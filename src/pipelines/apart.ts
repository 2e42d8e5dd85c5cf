/** Whether a model's text encoder and denoiser fit into memory together. */
import type { Model } from "../families/family.ts";
import { parametersOf } from "../families/parameters.ts";
import { totalMemory } from "../runtime/index.ts";

/** The share of memory for weights; the rest is for activations and other programs. */
const share = 0.8;

/**
 * If they do not fit, the text encoder is released before the denoiser is built, and every request builds both again. This works
 * only for families whose text encoder takes no adapters and encodes prompts one by one.
 */
export function mustBeApart({ components, text }: Pick<Model, "components" | "text">, memory = totalMemory()): boolean {
  if (!text.feeds || memory === undefined) return false;
  const parameters = [...components.values()].reduce((sum, component) => sum + parametersOf(component), 0);
  // In float32, the CPU's number type.
  return 4 * parameters > share * memory;
}
