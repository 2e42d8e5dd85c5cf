/** Every kind of adapter, each one file. The first that recognises a file reads it. */
import { customDiffusion } from "./custom-diffusion.ts";
import type { AdapterKind } from "./kind.ts";
import { lora } from "./lora.ts";
import { textualInversion } from "./textual-inversion.ts";

// LoRA comes last: what nobody else knows is read as one, and its keys are named if they are none.
export const kinds: readonly AdapterKind[] = [customDiffusion, textualInversion, lora];
