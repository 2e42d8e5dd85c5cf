/** The tokens of a request's texts. */
import { learnedTokens, tokenNames } from "../adapters/index.ts";
import { TillerError } from "../errors/index.ts";
import type { TextSide, Tokens } from "../families/family.ts";
import type { RowText } from "../guidance/guidance.ts";
import type { FullRequest } from "../recipe/request.ts";
import { styledPrompt } from "../recipe/styled-prompt.ts";
import { agnosticPrompt } from "../text/learned-tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { OpenAdapter } from "./load.ts";

/**
 * Tokens for every kind of text a guidance method needs, and a warning for each text that was truncated.
 *
 * Learned tokens are numbered after the vocabulary in the order of the adapters, as in the text networks' inputs.
 *
 * @throws TillerError if the method needs a learned token and the prompt has none, or if the model takes no instruction and
 *   one is given.
 */
export function tokenizeTexts(
  { tokenizer, text }: { readonly tokenizer: Tokenizer; readonly text: TextSide },
  { prompt, style, negative, instruction }: Pick<FullRequest, "prompt" | "style" | "negative" | "instruction">,
  texts: ReadonlySet<RowText>,
  adapters: readonly OpenAdapter[],
): { tokens: Readonly<Record<RowText, Tokens>>; warnings: string[] } {
  if (instruction && text.instruction === undefined) {
    throw new TillerError(
      "setting-invalid",
      "instruction: this model's text encoder does not follow instructions; leave it out.",
    );
  }
  if (texts.has("agnostic") && text.embeddings.length === 0) {
    throw new TillerError(
      "guidance-unsuited",
      "sag compares with the prompt without its learned tokens, and this model's text encoder learns none: use cfg or pg.",
    );
  }
  const learned = learnedTokens(adapters.map(({ adapter }) => adapter));
  const warnings: string[] = [];
  const tokenize = (what: string, words: string, after?: string): Tokens => {
    const tokens = text.tokenize(tokenizer, words, learned, after);
    if (tokens.dropped !== "") {
      warnings.push(`the ${what} is longer than ${text.positions} tokens; left out: "${tokens.dropped}"`);
    }
    return tokens;
  };
  const instructed = instruction ?? text.instruction;
  const styled = styledPrompt({ prompt, style });
  const cond = tokenize("prompt", styled, instructed);
  const nullTokens = (): Tokens =>
    negative === undefined && text.none ? text.none : tokenize("negative prompt", negative ?? "");
  return {
    tokens: {
      cond,
      null: texts.has("null") ? nullTokens() : cond,
      agnostic: texts.has("agnostic")
        ? tokenize("prompt", agnosticPrompt(styled, tokenNames(learned)), instructed)
        : cond,
      plain: texts.has("plain") ? tokenize("prompt", prompt, instructed) : cond,
    },
    warnings,
  };
}
