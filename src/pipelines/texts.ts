/** The token ids of a request's texts. */
import type { RowText } from "../guidance/guidance.ts";
import type { FullRequest } from "../recipe/request.ts";
import { agnosticPrompt, encodePrompt } from "../text/prompts.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { OpenAdapter } from "./load.ts";

/**
 * Token ids for every kind of text a guidance method asks for, and a warning for each text that had to be cut.
 *
 * Learned tokens count on from the vocabulary in the order of the adapters, as the text encoder's `learned` input does.
 *
 * @throws UsageError if the method needs a learned token and the prompt has none.
 */
export function encodeTexts(
  { tokenizer, positions, vocabulary }: { tokenizer: Tokenizer; positions: number; vocabulary: number },
  { prompt, negative }: FullRequest,
  texts: ReadonlySet<RowText>,
  adapters: readonly OpenAdapter[],
): { ids: Readonly<Record<RowText, readonly number[]>>; warnings: string[] } {
  const learned = new Map<string, number>();
  for (const { adapter } of adapters) for (const [token, vectors] of adapter.tokens) learned.set(token, vectors.length);
  const warnings: string[] = [];
  const encode = (what: string, text: string): readonly number[] => {
    const { ids, dropped } = encodePrompt(tokenizer, text, { length: positions, learned, firstLearned: vocabulary });
    if (dropped !== "") warnings.push(`the ${what} is longer than ${positions} tokens; left out: "${dropped}"`);
    return [...ids];
  };
  const cond = encode("prompt", prompt);
  return {
    ids: {
      cond,
      null: texts.has("null") ? encode("negative prompt", negative) : cond,
      agnostic: texts.has("agnostic") ? encode("prompt", agnosticPrompt(prompt, [...learned.keys()])) : cond,
    },
    warnings,
  };
}
