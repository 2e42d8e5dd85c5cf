/** Finds learned tokens in a text. */
import { TillerError } from "../errors/index.ts";

/**
 * The prompt without its learned tokens, for subject-agnostic guidance.
 *
 * @throws TillerError if the prompt has none.
 */
export function agnosticPrompt(prompt: string, learned: readonly string[]): string {
  const without = splitByTokens(prompt, learned).filter((piece) => !isToken(piece, learned));
  const text = without.join("").replace(/\s+/g, " ").trim();
  if (without.length === splitByTokens(prompt, learned).length) {
    throw new TillerError(
      "learned-token-missing",
      learned.length === 0
        ? "Subject-agnostic guidance needs a learned token: load a textual inversion or Custom Diffusion adapter."
        : `Subject-agnostic guidance needs a learned token in the prompt: ${learned.join(" or ")}.`,
    );
  }
  return text;
}

const isToken = (piece: string, tokens: readonly string[]): boolean =>
  tokens.some((token) => token.toLowerCase() === piece.toLowerCase());

/** Splits a text at its learned tokens, keeping them. */
export function splitByTokens(text: string, tokens: readonly string[]): string[] {
  if (tokens.length === 0) return [text];
  const longestFirst = [...tokens].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`, "i")).filter((piece) => piece !== "");
}
