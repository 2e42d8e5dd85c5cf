import { expect, test } from "vitest";
import { normalValues } from "../random/streams.ts";
import { type Estimate, errorWith, estimate, intervalOf, type Measured } from "./crossed.ts";
import { studentQuantile } from "./student.ts";

/** Scores of all concepts and prompts in a table, from one seed or from several. */
const table = (rows: readonly (readonly (number | readonly number[])[])[]): Measured[] =>
  rows.flatMap((row, c) =>
    row.flatMap((cell, p) =>
      [cell].flat().map((value, seed) => ({ concept: `c${c}`, prompt: `p${p}`, seed, value }) satisfies Measured),
    ),
  );

test("the mean is the mean over concepts, however many prompts each has, and over prompts, however many seeds", () => {
  expect(estimate(table([[1], [0, 0, 0]])).mean).toBe(0.5);
  expect(estimate(table([[[1], [0, 0, 0]]])).mean).toBe(0.5);
});

test("the variance is that of the crossed model, worked out by hand", () => {
  // Means of concepts -2 and 2, of prompts -1, 0, 1; what both leave: 0.5, 0, -0.5 and the opposite.
  const { mean, error, freedom } = estimate(
    table([
      [-2.5, -2, -1.5],
      [0.5, 2, 3.5],
    ]),
  );
  const concept = (2 ** 2 + 2 ** 2) / 1 / 2;
  const prompt = (1 ** 2 + 0 + 1 ** 2) / 2 / 3;
  const both = (4 * 0.5 ** 2) / 2 / 6;
  expect(mean).toBe(0);
  expect(error ** 2).toBeCloseTo(concept + prompt - both, 12);
  expect(freedom).toBeCloseTo((concept + prompt - both) ** 2 / (concept ** 2 / 1 + prompt ** 2 / 2), 12);
});

test("of one concept, the spread over its prompts counts; the interval is Student's", () => {
  const { low, high } = intervalOf(table([[0, 1, 0, 1]]));
  const reach = studentQuantile(0.025, 3) * Math.sqrt(1 / 3 / 4);
  expect(low).toBeCloseTo(0.5 - reach, 9);
  expect(high).toBeCloseTo(0.5 + reach, 9);
});

test("a single score has no interval", () => {
  expect(intervalOf(table([[0.5]]))).toEqual({ mean: 0.5, low: Number.NaN, high: Number.NaN });
});

test("equal scores have an interval without width", () => {
  expect(intervalOf(table([Array(8).fill(0.25), Array(8).fill(0.25)]))).toEqual({ mean: 0.25, low: 0.25, high: 0.25 });
});

test("a prompt that lowers the scores of all concepts widens the interval more than one that lowers a single one's", () => {
  // The same numbers; in the second table each concept has its hard prompt elsewhere.
  const common = Array.from({ length: 8 }, () => Array.from({ length: 8 }, (_, p) => Number(p === 0)));
  const scattered = common.map((row, c) => row.map((_, p) => Number(p === c)));
  expect(estimate(table(common)).error).toBeGreaterThan(2 * estimate(table(scattered)).error);
});

test("the error with more prompts or concepts is foretold from what each has of its own", () => {
  const values = normalValues(1, "effects", 0, 8);
  // Concepts differ, and nothing else but the order of prompts: more prompts do not help, more concepts do.
  const scores = table([...values].map((value) => [value + 0.01, value - 0.01, value, value]));
  const own = estimate(scores);
  expect(errorWith(own, {})).toBeCloseTo(own.error, 3);
  expect(errorWith(own, { prompt: 4 }) / own.error).toBeCloseTo(1, 2);
  expect(errorWith(own, { concept: 4 }) / own.error).toBeCloseTo(0.5, 2);
});

/** The spread of differences between methods that concepts, prompts, seeds, their pairs and single pictures have. */
interface Spread {
  readonly concept: number;
  readonly prompt: number;
  readonly seed: number;
  readonly both: number;
  readonly picture: number;
}

/** `runs` estimates on scores with a known mean and known clusters; the last prompts are drawn only for half the concepts each. */
function simulated(runs: number, effect: number, size: readonly [number, number, number], spread: Spread): Estimate[] {
  const [concepts, prompts, seeds] = size;
  const own = Math.floor(prompts / 3);
  return Array.from({ length: runs }, (_, run) => {
    const normal = (what: string, count: number, by: number) =>
      normalValues(run, `simulated ${what}`, 0, count).map((value) => value * by);
    const ofConcept = normal("concept", concepts, spread.concept);
    const ofPrompt = normal("prompt", prompts + own, spread.prompt);
    const ofSeed = normal("seed", seeds, spread.seed);
    const ofBoth = normal("both", concepts * prompts, spread.both);
    const ofPicture = normal("picture", concepts * prompts * seeds, spread.picture);
    const scores: Measured[] = [];
    for (let c = 0; c < concepts; c++)
      for (let p = 0; p < prompts; p++) {
        // As the lists for living things and for others, which share two thirds.
        const prompt = p >= prompts - own && c % 2 === 1 ? p + own : p;
        for (let s = 0; s < seeds; s++) {
          const place = c * prompts + p;
          const value =
            effect + ofConcept[c]! + ofPrompt[prompt]! + ofSeed[s]! + ofBoth[place]! + ofPicture[place * seeds + s]!;
          scores.push({ concept: `c${c}`, prompt: `p${prompt}`, seed: seeds > 1 ? s : undefined, value });
        }
      }
    return estimate(scores);
  });
}

const runs = 2000;
const effect = 0.03;
/** As measured on dinghy: PG's DINO over CFG's in results/omega. */
const measured: Spread = { concept: 0.03, prompt: 0.01, seed: 0.01, both: 0.04, picture: 0.08 };

// The share of 2,000 runs has a standard deviation of 0.5 %.
test.each([
  ["concepts that differ most, one picture a prompt", [16, 31, 1], { ...measured, seed: 0 }],
  ["eight prompts of two pictures", [16, 8, 2], measured],
  ["prompts that differ most", [16, 12, 1], { ...measured, concept: 0.005, prompt: 0.05, seed: 0 }],
  ["seeds that differ most", [16, 6, 4], { ...measured, concept: 0.02, seed: 0.06, both: 0.02 }],
  ["one subject of one's own", [1, 12, 2], { ...measured, concept: 0, prompt: 0.04, both: 0 }],
] as const)("the interval holds the true mean in 93 to 97 % of 2,000 runs: %s", (_, size, spread) => {
  const holds = simulated(runs, effect, size, spread).filter(
    ({ mean, error, freedom }) => Math.abs(mean - effect) <= studentQuantile(0.025, freedom) * error,
  );
  expect(holds.length / runs).toBeGreaterThanOrEqual(0.93);
  expect(holds.length / runs).toBeLessThanOrEqual(0.97);
});
