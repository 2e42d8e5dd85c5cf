/** Encodes prompts for CLIP's text encoders. */
import { TillerError } from "../errors/index.ts";
import { splitByTokens } from "./learned-tokens.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface PromptOptions {
  /** Positions of the text encoder: 77 for CLIP. */
  readonly length: number;
  /** Learned tokens and their numbers of embeddings. */
  readonly learned?: ReadonlyMap<string, number> | undefined;
  /** The id of the first learned embedding: the size of the text encoder's own table. */
  readonly firstLearned: number;
}

export interface EncodedPrompt {
  /** Begin, the prompt, end, padding: `length` ids. */
  readonly ids: readonly number[];
  /** The words that did not fit, including one cut in two, shortened to 200 characters; "" if all fit. */
  readonly dropped: string;
}

/**
 * Encodes a prompt like the reference pipelines: truncated to `length` with the end token kept, padded with the pad token.
 *
 * Learned tokens are matched anywhere, longest first, ignoring case, and replaced by their embeddings' ids in order. No CLIP
 * token crosses white space, so words are encoded one by one; a learned token may contain white space.
 *
 * @throws TillerError if the prompt has a token that the text encoder has no embedding for.
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
      `The tokenizer gives a token the id ${id}, but the text encoder has ${firstLearned} embeddings: use the tokenizer that belongs to the text encoder.`,
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

/** The words of a text, each split into learned tokens and the text between them. */
function wordsOf(text: string, tokens: readonly string[]): string[][] {
  const known = new Set(tokens.map((token) => token.toLowerCase()));
  const words: string[][] = [[]];
  for (const piece of splitByTokens(text, tokens)) {
    if (known.has(piece.toLowerCase())) words.at(-1)!.push(piece);
    else for (const [i, part] of piece.split(/\s+/).entries()) i === 0 ? words.at(-1)!.push(part) : words.push([part]);
  }
  return words.map((word) => word.filter((piece) => piece !== "")).filter((word) => word.length > 0);
}

/** Shortened for a warning. */
const beginning = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
