/** CLIP's tokenizer, from the files a model folder brings. */
import { join } from "node:path";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { TillerError } from "../errors.ts";
import { jsonObject, readJson, readText } from "../files/json-file.ts";
import { exists } from "../files/regular-file.ts";
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

/** A vocabulary is at most some megabytes; more is not a tokenizer's file. */
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
  const names = { ...(await optional("tokenizer_config.json")), ...(await optional("special_tokens_map.json")) };
  const library = await openLibraryTokenizer(folder, names);
  const id = (token: string | null | undefined, what: string): number => {
    const found = token == null ? undefined : library.token_to_id(token);
    if (found === undefined) throw new TillerError(`${folder} has no ${what} token: it is not a CLIP tokenizer.`);
    return found;
  };
  const end = names.eos_token ?? "<|endoftext|>";
  return {
    encode: (text) => library.encode(text, { add_special_tokens: false }).ids,
    begin: id(names.bos_token ?? "<|startoftext|>", "begin"),
    end: id(end, "end"),
    pad: id(names.pad_token ?? end, "padding"),
  };
}

async function openLibraryTokenizer(folder: string, config: object): Promise<LibraryTokenizer> {
  const whole = join(folder, "tokenizer.json");
  const json = (await exists(whole)) ? await readJson(whole, jsonObject, sizeLimit) : await assemble(folder);
  try {
    return new LibraryTokenizer(json, config);
  } catch (error) {
    throw new TillerError(`${folder} does not hold a tokenizer Tiller can use: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

async function assemble(folder: string): Promise<object> {
  const vocabulary = await readJson(join(folder, "vocab.json"), z.record(z.string(), z.number().int()), sizeLimit);
  const text = await readText(join(folder, "merges.txt"), sizeLimit);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#version"));
  return clipTokenizer(
    vocabulary,
    lines.map((line) => line.trim().split(" ") as [string, string]),
  );
}
