import { expect, test } from "vitest";
import { fixture } from "../../../test/fixtures.ts";
import { openModel } from "../../families/open-model.ts";
import { loadTokenizer } from "../../text/tokenizer.ts";
import { trainingTexts } from "./texts.ts";

test.each(["pipelines/sd15", "sdxl-pipeline/model"])(
  "a learned token has the largest id of a prompt, else its end has: %s",
  async (name) => {
    const model = await openModel(fixture(name));
    const tokenizer = await loadTokenizer(model.tokenizerFolder, model.secondTokenizerFolder);
    const learned = new Map(model.text.embeddings.map(({ component }) => [component, new Map([["sks", 2]])]));
    const texts = trainingTexts(model, tokenizer, learned);
    const ids = texts.tokens("a photo of sks dog").inputs.ids!;
    expect(texts.largest("a photo of sks dog")).toBe(ids.indexOf(Math.max(...ids)));
    expect(texts.largest("a photo of sks dog")).toBeLessThan(texts.end("a photo of sks dog"));
    expect(texts.largest("a photo of a dog")).toBe(texts.end("a photo of a dog"));
  },
);
