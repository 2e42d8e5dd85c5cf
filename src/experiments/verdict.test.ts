import { describe, expect, test } from "vitest";
import { normalValues } from "../random/streams.ts";
import { estimate } from "./crossed.ts";
import { chancesOf, chancesTogether, smallestSeen, verdictsOf } from "./verdict.ts";

const of = (mean: number, error = 1) => ({ mean, error, freedom: 1e6, parts: [] });
// Beyond 1.96 standard errors.
const [clear, unclear] = [2.5, 1.5];

describe("a claim alone", () => {
  test.each([
    ["above", clear, "held"],
    ["above", unclear, "undecided"],
    ["above", -unclear, "undecided"],
    ["above", -clear, "contradicted"],
    ["below", -clear, "held"],
    ["below", clear, "contradicted"],
  ] as const)("%s 0: a mean of %d standard errors", (is, mean, due) => {
    expect(verdictsOf([chancesOf({ is }, of(mean))])).toEqual([due]);
  });

  test.each([
    [0, 2.5, "held"],
    [0, 1.5, "undecided"],
    [-1, 2.5, "undecided"],
    [-1, 3.5, "held"],
    [2.9, 1, "undecided"],
    [-4, 1, "contradicted"],
    [4, 1, "contradicted"],
  ] as const)("a mean of %d standard errors, within %d of 0", (mean, margin, due) => {
    expect(verdictsOf([chancesOf({ is: "within", margin }, of(mean))])).toEqual([due]);
  });

  test("equal scores decide at once", () => {
    expect(verdictsOf([chancesOf({ is: "within", margin: 0.1 }, of(0, 0))])).toEqual(["held"]);
    expect(verdictsOf([chancesOf({ is: "above" }, of(0, 0))])).toEqual(["undecided"]);
  });
});

test("a finding holds if all its claims do, and is contradicted by one of them", () => {
  const chances = (...means: number[]) => chancesTogether(means.map((mean) => chancesOf({ is: "above" }, of(mean))));
  expect(verdictsOf([chances(clear, 4)])).toEqual(["held"]);
  expect(verdictsOf([chances(unclear, 9)])).toEqual(["undecided"]);
  expect(verdictsOf([chances(9, -4)])).toEqual(["contradicted"]);
  // It would be for a single claim; two had the chance.
  expect(verdictsOf([chances(0, -2)])).toEqual(["undecided"]);
});

test("several findings are corrected by Holm's method", () => {
  const above = (mean: number) => chancesOf({ is: "above" }, of(mean));
  // 0.0062 alone; of four, it must be below 0.025 / 4 = 0.00625; the next 0.0082 below 0.025 / 3.
  expect(verdictsOf([above(0), above(2.4), above(2.5), above(0.1)])).toEqual([
    "undecided",
    "held",
    "held",
    "undecided",
  ]);
  // The first fails, so the others do.
  expect(verdictsOf([above(2.4), above(2.4), above(2.4), above(2.4)])).toEqual(Array(4).fill("undecided"));
});

test("the smallest effect that is seen lies 1.96 and 0.84 standard errors from 0, for a margin 1.96 and 1.28", () => {
  expect(smallestSeen({ is: "above" }, of(0))).toBeCloseTo(2.8016, 3);
  expect(smallestSeen({ is: "within", margin: 1 }, of(0))).toBeCloseTo(3.2415, 3);
});

/** The share of 2,000 runs of sixteen concepts by eight prompts in which a finding is held, if its claim has this true mean. */
function heldIn2000(effect: number, claimed: Parameters<typeof chancesOf>[0]): number {
  const runs = 2000;
  let held = 0;
  for (let run = 0; run < runs; run++) {
    const concepts = normalValues(run, "verdict concepts", 0, 16);
    const prompts = normalValues(run, "verdict prompts", 0, 8);
    const both = normalValues(run, "verdict both", 0, 16 * 8);
    const scores = [...concepts].flatMap((concept, c) =>
      [...prompts].map((prompt, p) => ({
        concept: `c${c}`,
        prompt: `p${p}`,
        value: effect + 0.03 * concept + 0.01 * prompt + 0.06 * both[c * 8 + p]!,
      })),
    );
    const [verdict] = verdictsOf([chancesOf(claimed, estimate(scores))]);
    if (verdict === "held") held++;
  }
  return held / runs;
}

test("with a true effect of 0, held is said in at most 3 % of 2,000 runs", () => {
  expect(heldIn2000(0, { is: "above" })).toBeLessThanOrEqual(0.03);
});

test("with a true effect at the margin, equivalent is said in at most 3 % of 2,000 runs", () => {
  expect(heldIn2000(0.03, { is: "within", margin: 0.03 })).toBeLessThanOrEqual(0.03);
});

test("an effect of the size stated as the smallest seen is held in about four of five runs", () => {
  // 16 concepts and 8 prompts: the variance is 0.03² / 16 + 0.01² / 8 + 0.06² / 128, with some 15 degrees of freedom.
  const error = Math.sqrt(0.03 ** 2 / 16 + 0.01 ** 2 / 8 + 0.06 ** 2 / 128);
  const share = heldIn2000(smallestSeen({ is: "above" }, { error, freedom: 17 }), { is: "above" });
  expect(share).toBeGreaterThan(0.75);
  expect(share).toBeLessThan(0.85);
});
