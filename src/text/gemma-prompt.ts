/** Tokenizes text for Gemma. */
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The begin token, then the text's tokens, without an end token, padding or truncation; white space counts. `""` gives the begin
 * token only.
 */
export const gemmaIds = (tokenizer: Tokenizer, text: string): number[] => [tokenizer.begin, ...tokenizer.encode(text)];
