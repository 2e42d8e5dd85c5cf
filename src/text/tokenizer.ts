/** The tokenizers of text encoders, CLIP's and Gemma's, from the files a model folder brings. */

import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { exists, join } from "#bytes";
import { readJson, readText } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { clipTokenizer } from "./clip-tokenizer.ts";

export interface Tokenizer {
  /** Token ids of a piece of text, without the tokens that begin and end a prompt. */
  readonly encode: (text: string) => readonly number[];
  readonly begin: number;
  readonly end: number;
  /** Fills a short prompt up. SD 1.5 pads with the end token, SD 2.1 with "!". */
  readonly pad: number;
}

const special = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const specialTokens = z.looseObject({
  bos_token: special.nullish(),
  eos_token: special.nullish(),
  pad_token: special.nullish(),
});

/** CLIP's vocabulary takes some megabytes, Gemma's up to 34; more is not a tokenizer's file. */
const sizeLimit = 64 << 20;

/**
 * Opens a tokenizer folder: `tokenizer.json`, or `vocab.json` with `merges.txt`.
 *
 * `special_tokens_map.json` wins over `tokenizer_config.json`, as in Transformers.
 *
 * @throws TillerError naming the file that is missing or not a tokenizer's.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const optional = async (name: string): Promise<z.output<typeof specialTokens>> =>
    (await exists(join(folder, name))) ? readJson(join(folder, name), specialTokens) : {};
  const given = { ...(await optional("tokenizer_config.json")), ...(await optional("special_tokens_map.json")) };
  const end = given.eos_token ?? "<|endoftext|>";
  const names = { begin: given.bos_token ?? "<|startoftext|>", end, pad: given.pad_token ?? end };
  const description = await describe(folder, Object.values(names));
  const library = openLibraryTokenizer(description, folder);
  const spelled = lowersCase(description) ? lowerEach : (text: string) => text;
  const id = (what: keyof typeof names): number => {
    const found = library.token_to_id(names[what]);
    if (found === undefined)
      throw new TillerError(
        "tokenizer-invalid",
        `${folder} has no ${what} token ${names[what]}, which its configs speak of: copy the model's tokenizer again.`,
        { paths: [folder] },
      );
    return found;
  };
  return {
    encode: (text) => library.encode(spelled(text), { add_special_tokens: false }).ids,
    begin: id("begin"),
    end: id("end"),
    pad: id("pad"),
  };
}

/** Lower case sign by sign, as the reference: JavaScript alone would write a sigma at a word's end as a final one. */
const lowerEach = (text: string): string => Array.from(text, (sign) => (sign === "Σ" ? "σ" : sign)).join("");

/** The tokens of Gemma have either case. */
const lowersCase = ({ normalizer }: Described): boolean => JSON.stringify(normalizer ?? null).includes('"Lowercase"');

async function describe(folder: string, special: readonly string[]): Promise<Described> {
  const whole = join(folder, "tokenizer.json");
  const description = (await exists(whole)) ? await readJson(whole, described, sizeLimit) : await assemble(folder);
  return withSpecialTokens(description, special);
}

function openLibraryTokenizer(description: Described, folder: string): LibraryTokenizer {
  try {
    return new LibraryTokenizer(description, {});
  } catch (error) {
    throw new TillerError(
      "tokenizer-invalid",
      `${folder} does not hold a tokenizer Tiller can use: ${(error as Error).message}.`,
      { paths: [folder], cause: error },
    );
  }
}

const addedToken = z.looseObject({ id: z.number().int(), content: z.string() });
const described = z.looseObject({
  added_tokens: z.array(addedToken),
  normalizer: z.unknown().optional(),
  model: z.looseObject({ vocab: z.record(z.string(), z.number().int()) }),
});
type Described = z.output<typeof described>;

/** A token named as special is one wherever it stands in a text: SD 2.1 pads with "!", so its prompts' "!" is that token. */
function withSpecialTokens(description: Described, tokens: readonly string[]): Described {
  const known = new Set(description.added_tokens.map(({ content }) => content));
  const missing = [...new Set(tokens)].filter((token) => !known.has(token) && token in description.model.vocab);
  const added = missing.map((content) => ({
    id: description.model.vocab[content]!,
    content,
    special: true,
    normalized: false,
  }));
  return { ...description, added_tokens: [...description.added_tokens, ...added] };
}

async function assemble(folder: string): Promise<Described> {
  const vocabulary = await readJson(join(folder, "vocab.json"), z.record(z.string(), z.number().int()), sizeLimit);
  const text = await readText(join(folder, "merges.txt"), sizeLimit);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#version"));
  return clipTokenizer(
    vocabulary,
    lines.map((line) => line.trim().split(" ") as [string, string]),
  );
}
