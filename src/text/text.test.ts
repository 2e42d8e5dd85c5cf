import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { encodePrompt } from "./clip-prompt.ts";
import { gemmaIds } from "./gemma-prompt.ts";
import { agnosticPrompt } from "./learned-tokens.ts";
import { loadTokenizer } from "./tokenizer.ts";

/** Made by parity/text.py with Transformers' CLIPTokenizer. */
const folder = new URL("../../parity/fixtures/text/", import.meta.url);
const tokenizer = await loadTokenizer(folder.pathname);
const cases = JSON.parse(await readFile(new URL("cases.json", folder), "utf8")) as { prompt: string; ids: number[] }[];
const firstLearned = 10_000;
const encode = (prompt: string, learned?: ReadonlyMap<string, number>) =>
  encodePrompt(tokenizer, prompt, { length: 77, firstLearned, ...(learned && { learned }) });

describe("prompts", () => {
  test("have the ids Transformers gives them", () => {
    for (const { prompt, ids } of cases) expect(encode(prompt).ids.slice(0, ids.length), prompt).toEqual(ids);
  });

  test("are padded to 77 with the token that special_tokens_map.json names", () => {
    const { ids } = encode("a cat");
    expect(ids).toHaveLength(77);
    expect(ids.slice(4)).toEqual(Array(73).fill(0)); // "!" is the first symbol of the vocabulary
  });

  test("that are too long keep the end token, and the dropped words are named", () => {
    const { ids, dropped } = encode(`${"cat ".repeat(74)} red dog snow`);
    expect([ids.length, ids.at(-1)]).toEqual([77, tokenizer.end]);
    expect(dropped).toBe("dog snow");
  });

  test("that fit drop nothing", () => expect(encode("cat ".repeat(75)).dropped).toBe(""));
});

describe("learned tokens", () => {
  const learned = new Map([
    ["<cat>", 2],
    ["<cat>s", 1],
  ]);

  test("are replaced by their embeddings, in any case and next to any character", () => {
    const [a, comma] = [encode("a").ids[1]!, encode(",").ids[1]!];
    expect(encode("a<CAT>, <cat>s", learned).ids.slice(1, 6)).toEqual([a, 10_000, 10_001, comma, 10_002]);
  });

  test("can be removed without changing the prompt's other words", () => {
    expect(agnosticPrompt("a <cat>  cat in the snow", ["<cat>"])).toBe("a cat in the snow");
  });

  test("are required if a method needs one", () => {
    expect(() => agnosticPrompt("a cat", ["<cat>"])).toThrow(refusal("learned-token-missing", "<cat>"));
    expect(() => agnosticPrompt("a cat", [])).toThrow(refusal("learned-token-missing"));
  });
});

describe("Gemma's tokenizer", async () => {
  /** Made by parity/sana_networks.py with Transformers' GemmaTokenizer. */
  const place = new URL("../../parity/fixtures/sana-networks/", import.meta.url);
  const gemma = await loadTokenizer(new URL("tokenizer", place).pathname);
  const cases = JSON.parse(await readFile(new URL("tokenizer-cases.json", place), "utf8")) as {
    text: string;
    ids: number[];
  }[];

  test("gives the ids that Transformers gives: with a begin token, without an end token, case and white space kept", () => {
    expect(cases.length).toBeGreaterThan(10);
    for (const { text, ids } of cases) expect(gemmaIds(gemma, text), JSON.stringify(text)).toEqual(ids);
  });

  test("names the tokens of its configs", () => {
    expect([gemma.begin, gemma.end, gemma.pad]).toEqual([2, 1, 0]);
  });
});

describe("a folder without a text encoder's tokenizer is refused", () => {
  let own: string;
  beforeEach(async () => {
    own = await mkdtemp(join(tmpdir(), "tiller-test-"));
  });
  afterEach(() => rm(own, { recursive: true }));

  test("without its files", async () => {
    await expect(loadTokenizer(own)).rejects.toThrow(refusal("file-missing", join(own, "vocab.json")));
  });

  test("with a tokenizer that has no begin token", async () => {
    const clip = JSON.parse(await readFile(new URL("vocab.json", folder), "utf8"));
    delete clip["<|startoftext|>"];
    await writeFile(join(own, "vocab.json"), JSON.stringify(clip));
    await copyFile(new URL("merges.txt", folder), join(own, "merges.txt"));
    await expect(loadTokenizer(own)).rejects.toThrow(refusal("tokenizer-invalid", own, "<|startoftext|>"));
  });

  test("with a tokenizer that the library cannot read", async () => {
    await writeFile(join(own, "tokenizer.json"), JSON.stringify({ added_tokens: [], model: { vocab: {} } }));
    await expect(loadTokenizer(own)).rejects.toThrow(refusal("tokenizer-invalid", own));
  });
});
