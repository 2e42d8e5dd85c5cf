/** Means over pictures and prompts, with encoders that only read a picture's first pixel. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Pixels } from "../images/pixels.ts";
import type { Encoder } from "./encoder.ts";
import { measure } from "./evaluate.ts";
import { type EncoderName, usualMetrics } from "./fidelity.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The feature is red / 100, so the cosine with the text or with a reference of red 100 is that. */
const pictures = async (all: readonly Pixels[]) => all.map(({ data }) => Float32Array.of(data[0]! / 100));
const clip: Encoder = {
  pictures,
  texts: async (texts: readonly string[]) => texts.map(() => Float32Array.of(1)),
  dropped: (text: string) => (text === "b" ? "words" : ""),
};
const reference = (red: number): Pixels => ({ width: 1, height: 1, data: Uint8Array.of(red, 0, 0) });

async function drawn(...reds: number[]): Promise<string[]> {
  return Promise.all(
    reds.map(async (red) => {
      const file = join(folder, `${red}.png`);
      await sharp(Buffer.of(red, 0, 0), { raw: { width: 1, height: 1, channels: 3 } }).toFile(file);
      return file;
    }),
  );
}

test("scores are the mean over prompts, however many pictures each has", async () => {
  const files = await drawn(10, 20, 60, 90);
  const asked = files.map((file, i) => ({ file, text: i < 3 ? "a" : "b" }));
  const told: number[] = [];
  const {
    scores,
    prompts,
    pictures: measured,
  } = await measure(
    usualMetrics,
    asked,
    [reference(100), reference(50)],
    new Map<EncoderName, Encoder>([
      ["clip", clip],
      ["dino", { pictures }],
    ]),
    (done) => told.push(done),
  );
  // a: (0.1 + 0.2 + 0.6) / 3 = 0.3, b: 0.9; their mean is 0.6, that of all pictures 0.45. References: 1 and 0.5.
  expect(scores.clipT).toBeCloseTo(0.6, 6);
  expect(scores.clipI).toBeCloseTo(0.6 * 0.75, 6);
  expect(scores.dino).toBeCloseTo(0.6 * 0.75, 6);
  expect(prompts.map(({ text, pictures: count, dropped, scores: { clipT } }) => [text, count, dropped, clipT])).toEqual(
    [
      ["a", 3, undefined, expect.closeTo(0.3, 6)],
      ["b", 1, "words", expect.closeTo(0.9, 6)],
    ],
  );
  expect(measured.map(({ file }) => file)).toEqual(["10.png", "20.png", "60.png", "90.png"]);
  expect(told).toEqual([1, 2, 3, 4]);
});
