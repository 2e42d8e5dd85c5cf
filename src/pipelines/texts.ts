/** The tokens of a request's texts. */
import { learnedTokens } from "../adapters/index.ts";
import type { TextSide, Tokens } from "../families/family.ts";
import type { RowText } from "../guidance/guidance.ts";
import type { FullRequest } from "../recipe/request.ts";
import { agnosticPrompt } from "../text/learned-tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { OpenAdapter } from "./load.ts";

/**
 * Tokens for every kind of text a guidance method needs, and a warning for each text that was truncated.
 *
 * Learned tokens are numbered after the vocabulary in the order of the adapters, as in the text networks' inputs.
 *
 * @throws TillerError if the method needs a learned token and the prompt has none.
 */
export function tokenizeTexts(
  { tokenizer, text }: { readonly tokenizer: Tokenizer; readonly text: TextSide },
  { prompt, negative }: Pick<FullRequest, "prompt" | "negative">,
  texts: ReadonlySet<RowText>,
  adapters: readonly OpenAdapter[],
): { tokens: Readonly<Record<RowText, Tokens>>; warnings: string[] } {
  const learned = learnedTokens(adapters.map(({ adapter }) => adapter));
  const warnings: string[] = [];
  const tokenize = (what: string, words: string): Tokens => {
    const tokens = text.tokenize(tokenizer, words, learned);
    if (tokens.dropped !== "") {
      warnings.push(`the ${what} is longer than ${text.positions} tokens; left out: "${tokens.dropped}"`);
    }
    return tokens;
  };
  const cond = tokenize("prompt", prompt);
  return {
    tokens: {
      cond,
      null: texts.has("null") ? tokenize("negative prompt", negative) : cond,
      agnostic: texts.has("agnostic") ? tokenize("prompt", agnosticPrompt(prompt, [...learned.keys()])) : cond,
    },
    warnings,
  };
}
