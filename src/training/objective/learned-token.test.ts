/** The initial value of a learned token. */
import { beforeAll, expect, test } from "vitest";
import { fixture } from "../../../test/fixtures.ts";
import { refusal } from "../../../test/refusal.ts";
import type { Model } from "../../families/family.ts";
import { openModel } from "../../families/open-model.ts";
import { loadTokenizer, type Tokenizer } from "../../text/tokenizer.ts";
import { initialEmbeddings } from "./learned-token.ts";

// Saved by Diffusers: parity/make_fixtures.py.
let model: Model;
let tokenizer: Tokenizer;
beforeAll(async () => {
  model = await openModel(fixture("pipelines/sd15"));
  tokenizer = await loadTokenizer(model.tokenizerFolder);
});

const from = (word: string) =>
  initialEmbeddings(model, tokenizer, { vectors: 1, initializer: { word }, noun: "cat", seed: 1 });

test("a word starts from its embedding", async () => {
  const [tensor] = Object.values(await from("cat"));
  expect(tensor!.shape[0]).toBe(1);
  expect(tensor!.data.some((value) => value !== 0)).toBe(true);
});

test("a word without tokens is refused", async () => {
  await expect(from(" ")).rejects.toThrow(refusal("initializer-unknown", '" "'));
});
