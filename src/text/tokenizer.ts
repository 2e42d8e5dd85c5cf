/** The tokenizers of text encoders, CLIP's and Gemma's, from a model folder's files. */

import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { exists, join } from "#bytes";
import { readJson, readText } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { clipTokenizer } from "./clip-tokenizer.ts";

export interface Tokenizer {
  /** Token ids of a text, without begin and end tokens. */
  readonly encode: (text: string) => readonly number[];
  readonly begin: number;
  readonly end: number;
  /** Pads short prompts. SD 1.5 pads with the end token, SD 2.1 with "!". */
  readonly pad: number;
  /** That of a second text encoder. */
  readonly second?: Tokenizer;
}

const special = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const specialTokens = z.looseObject({
  bos_token: special.nullish(),
  eos_token: special.nullish(),
  pad_token: special.nullish(),
});

/** Tokens that were added to the vocabulary by training, in `added_tokens.json` or the tokenizer's config. */
const addedTokens = z.record(z.string(), z.number().int().nonnegative());
const addedDecoder = z.looseObject({
  added_tokens_decoder: z
    .record(
      z.string().regex(/^\d+$/),
      z.looseObject({ content: z.string(), special: z.boolean().nullish(), normalized: z.boolean().nullish() }),
    )
    .nullish(),
});

/** CLIP's vocabulary takes a few MB, Gemma's up to 34 MB; a larger file is not a tokenizer's. */
const sizeLimit = 64 << 20;

/**
 * Opens a tokenizer folder: `tokenizer.json`, or `vocab.json` with `merges.txt`.
 *
 * `special_tokens_map.json` overrides `tokenizer_config.json`, as in Transformers. Tokens added by training are included.
 *
 * @param second The folder of a second text encoder's tokenizer.
 * @throws TillerError naming a file that is missing or invalid.
 */
export async function loadTokenizer(folder: string, second?: string): Promise<Tokenizer> {
  const tokenizer = await loadOne(folder);
  return second === undefined ? tokenizer : { ...tokenizer, second: await loadOne(second) };
}

async function loadOne(folder: string): Promise<Tokenizer> {
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
        `${folder} has no ${what} token ${names[what]}, which its configs name: copy the model's tokenizer again.`,
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

/** Lower-cases sigma beforehand, as the reference does: JavaScript would turn one at the end of a word into a final sigma. */
const lowerEach = (text: string): string => Array.from(text, (sign) => (sign === "Σ" ? "σ" : sign)).join("");

/** CLIP's tokens are lower case, Gemma's are not. */
const lowersCase = ({ normalizer }: Described): boolean => JSON.stringify(normalizer ?? null).includes('"Lowercase"');

/** Tokens that the folder's other files add to the vocabulary. */
async function addedTo(folder: string): Promise<AddedToken[]> {
  const [file, config] = [join(folder, "added_tokens.json"), join(folder, "tokenizer_config.json")];
  const listed = (await exists(file)) ? await readJson(file, addedTokens, sizeLimit) : {};
  const { added_tokens_decoder: decoder } = (await exists(config)) ? await readJson(config, addedDecoder) : {};
  return [
    ...Object.entries(decoder ?? {}).map(([id, { content, special, normalized }]) => ({
      id: Number(id),
      content,
      special: special ?? false,
      normalized: normalized ?? !special,
    })),
    ...Object.entries(listed).map(([content, id]) => ({ id, content, special: false, normalized: true })),
  ];
}

async function describe(folder: string, special: readonly string[]): Promise<Described> {
  const whole = join(folder, "tokenizer.json");
  const description = (await exists(whole)) ? await readJson(whole, described, sizeLimit) : await assemble(folder);
  return withSpecialTokens(withTokens(description, await addedTo(folder)), special);
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
type AddedToken = z.output<typeof addedToken>;

function withTokens(description: Described, added: readonly AddedToken[]): Described {
  const known = new Set(description.added_tokens.map(({ content }) => content));
  const missing = added.filter(({ content }) => content !== "" && !known.has(content) && known.add(content));
  return { ...description, added_tokens: [...description.added_tokens, ...missing] };
}

/** Special tokens are matched anywhere in a text: SD 2.1 pads with "!", so a "!" in a prompt is that token. */
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
