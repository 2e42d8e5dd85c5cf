/** Every kind of adapter, one file each. The first that recognises a file reads it. */
import { customDiffusion } from "./custom-diffusion.ts";
import type { AdapterKind } from "./kind.ts";
import { lora } from "./lora.ts";
import { textualInversion } from "./textual-inversion.ts";

// LoRA comes last: it takes whatever the others do not recognise, and names the keys if they are not a LoRA's.
export const kinds: readonly AdapterKind[] = [customDiffusion, textualInversion, lora];
