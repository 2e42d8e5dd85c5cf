/** Prompts as CLIP's text encoders take them. */
import { TillerError } from "../errors/index.ts";
import { splitByTokens } from "./learned-tokens.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface PromptOptions {
  /** Positions of the text encoder: 77 for CLIP. */
  readonly length: number;
  /** Learned tokens and how many embeddings each has. */
  readonly learned?: ReadonlyMap<string, number>;
  /** The id of the first learned embedding: the size of the text encoder's own table. */
  readonly firstLearned: number;
}

export interface EncodedPrompt {
  /** Begin, the prompt, end, padding: `length` ids. */
  readonly ids: readonly number[];
  /** The words that did not fit, or how they begin; "" if all did. A word cut in two is among them. */
  readonly dropped: string;
}

/**
 * Encodes a prompt as the reference pipelines do: cut to `length` with the end token kept, padded with the pad token.
 *
 * Learned tokens are recognised anywhere, longest first and whatever their case, and stand for their embeddings in order.
 * No token of CLIP crosses white space, so the words are encoded one by one; a learned token may have white space in it.
 *
 * @throws TillerError if the tokenizer has more tokens than the text encoder has embeddings, and the prompt one of those.
 */
export function encodePrompt(tokenizer: Tokenizer, prompt: string, options: PromptOptions): EncodedPrompt {
  const { length, learned = new Map(), firstLearned } = options;
  const firstIds = new Map<string, number>();
  let next = firstLearned;
  for (const [token, vectors] of learned) {
    firstIds.set(token.toLowerCase(), next);
    next += vectors;
  }
  const counts = new Map([...learned].map(([token, vectors]) => [token.toLowerCase(), vectors]));

  const embedded = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < firstLearned) return id;
    throw new TillerError(
      "tokenizer-invalid",
      `The tokenizer gives a token the id ${id}, but the text encoder has ${firstLearned} embeddings: the two are not of one model.`,
    );
  };
  const ids: number[] = [];
  const dropped: string[] = [];
  for (const word of wordsOf(prompt, [...learned.keys()])) {
    for (const piece of word) {
      const first = firstIds.get(piece.toLowerCase());
      if (first === undefined) for (const id of tokenizer.encode(piece)) ids.push(embedded(id));
      else for (let i = 0; i < counts.get(piece.toLowerCase())!; i++) ids.push(first + i);
    }
    if (ids.length > length - 2) dropped.push(word.join(""));
  }
  const [begin, end, pad] = [tokenizer.begin, tokenizer.end, tokenizer.pad].map(embedded) as [number, number, number];
  const kept = [begin, ...ids.slice(0, length - 2), end];
  return { ids: [...kept, ...Array(length - kept.length).fill(pad)], dropped: beginning(dropped.join(" ")) };
}

/** The words of a text, each in pieces: its learned tokens and what stands between them. */
function wordsOf(text: string, tokens: readonly string[]): string[][] {
  const known = new Set(tokens.map((token) => token.toLowerCase()));
  const words: string[][] = [[]];
  for (const piece of splitByTokens(text, tokens)) {
    if (known.has(piece.toLowerCase())) words.at(-1)!.push(piece);
    else for (const [i, part] of piece.split(/\s+/).entries()) i === 0 ? words.at(-1)!.push(part) : words.push([part]);
  }
  return words.map((word) => word.filter((piece) => piece !== "")).filter((word) => word.length > 0);
}

/** So much of it as a warning can hold. */
const beginning = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
