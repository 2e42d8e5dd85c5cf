/** What the paper leaves open, as other than the default: pictures against PyTorch's (parity/open_questions.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Pipeline } from "../src/index.ts";
import { pictures as drawn } from "./drawing.ts";
import { adaptersOf, agreement, fixture, type PictureCase, reference } from "./fixtures.ts";

const cases = JSON.parse(readFileSync(fixture("open-questions/cases.json"), "utf8")) as PictureCase[];
const pictures = await reference("../open-questions/pictures.safetensors");

describe("the picture is PyTorch's:", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const adapters = adaptersOf(one);
    const loaded = await Pipeline.load(fixture(`pipelines/${one.pipeline}`), { adapters, device: "cpu" });
    try {
      const [picture] = await drawn(loaded, one.request);
      expect(agreement(picture!.data, (await pictures(name)).data)).toBeGreaterThanOrEqual(0.999);
    } finally {
      await loaded.close();
    }
  });
});
