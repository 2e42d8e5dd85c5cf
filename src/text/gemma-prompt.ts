/** Texts as Gemma takes them. */
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The ids of a text: the token that begins it, then its own. Nothing ends it, nothing pads it, and it is not cut; `""` is the
 * beginning alone. White space counts.
 */
export const gemmaIds = (tokenizer: Tokenizer, text: string): number[] => [tokenizer.begin, ...tokenizer.encode(text)];
