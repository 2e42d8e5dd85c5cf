/** The world's tokenizer, without files. */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { clipTokenizer } from "../src/text/clip-tokenizer.ts";
import { type Vocabulary, worldVocabulary } from "./vocabulary.ts";

export interface WorldTokens {
  readonly vocabulary: Vocabulary;
  readonly begin: number;
  readonly end: number;
  readonly positions: number;
  /** Begin, the caption, end, padded with end. */
  readonly encode: (caption: string) => number[];
}

export function worldTokens(): WorldTokens {
  const vocabulary = worldVocabulary();
  const merges = vocabulary.merges.map((merge) => merge.split(" ") as [string, string]);
  const library = new LibraryTokenizer(clipTokenizer({ ...vocabulary.ids }, merges), {});
  const [begin, end] = [vocabulary.ids["<|startoftext|>"]!, vocabulary.ids["<|endoftext|>"]!];
  const positions = 77;
  return {
    vocabulary,
    begin,
    end,
    positions,
    encode(caption) {
      const ids = [begin, ...library.encode(caption.toLowerCase(), { add_special_tokens: false }).ids, end];
      return [...ids, ...Array(positions - ids.length).fill(end)];
    },
  };
}

/** The files of a Transformers tokenizer folder. */
export const tokenizerFiles = ({ ids, merges }: Vocabulary): Readonly<Record<string, string>> => {
  const special = {
    bos_token: "<|startoftext|>",
    eos_token: "<|endoftext|>",
    unk_token: "<|endoftext|>",
    pad_token: "<|endoftext|>",
  };
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "tokenizer/vocab.json": json(ids),
    "tokenizer/merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
    "tokenizer/special_tokens_map.json": json(special),
    "tokenizer/tokenizer_config.json": json({ ...special, model_max_length: 77, tokenizer_class: "CLIPTokenizer" }),
  };
};
