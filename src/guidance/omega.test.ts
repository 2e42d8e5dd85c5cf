/** Omega as a schedule and by part: its spelling, its numbers at each step, and the rows of methods that have it. */
import { describe, expect, test } from "vitest";
import { doubtOf, evaluate, type GuidanceName, guide, type Omega, settingOf, toldOf, unmetSetting } from "./index.ts";
import { isOmega, omegasIn, partsIn } from "./omega.ts";
import { shareAt } from "./share.ts";

/** The weak row's share at each of five steps. */
const shares = (omega: Omega, steps = 5) => {
  const { moments, momentAt } = evaluate("pg", { omega }, steps);
  return Array.from({ length: steps }, (_, step) => moments[momentAt(step)]![1]!.strength);
};

describe("over the steps", () => {
  test("a linear omega goes evenly from its first number at the first step to its last at the last", () => {
    expect(shares("linear:0.2..0.6").map((share) => Number((share as number).toFixed(12)))).toEqual([
      0.2, 0.3, 0.4, 0.5, 0.6,
    ]);
  });
  test("a cosine omega goes slowly, fast, slowly, through the middle", () => {
    const half = (1 - Math.SQRT1_2) / 2;
    const expected = [0, half, 0.5, 1 - half, 1];
    for (const [step, share] of shares("cosine:0..1").entries()) expect(share).toBeCloseTo(expected[step]!, 12);
  });
  test("a step omega has its second number from a fraction of the steps on, half of them by default", () => {
    expect(shares("step:0.1..0.9@0.4")).toEqual([0.1, 0.1, 0.9, 0.9, 0.9]);
    expect(shares("step:0.1..0.9", 4)).toEqual([0.1, 0.1, 0.9, 0.9]);
    // 0.3 of 10 steps is not quite 3 in binary; it must not become a fourth step.
    expect(shares("step:0..1@0.3", 10).filter((share) => share === 0)).toHaveLength(3);
  });
  test("the ends are exactly the numbers given, and one step has the first", () => {
    for (const form of ["linear", "cosine"] as const) {
      const all = shares(`${form}:0.1..0.7`, 7);
      expect([all[0], all.at(-1)]).toEqual([0.1, 0.7]);
      expect(shares(`${form}:0.1..0.7`, 1)).toEqual([0.1]);
    }
  });
  test.each(["constant:0.35", "linear:0.35..0.35", "cosine:0.35..0.35", "step:0.35..0.35@0.2"] as const)(
    "%s is one moment, with the rows and coefficients of 0.35",
    (omega) => {
      for (const method of ["pg", "pg++", "output-interpolation"] as const) {
        const [one, plain] = [evaluate(method, { omega }, 9), evaluate(method, { omega: 0.35 }, 9)];
        expect(one.moments).toEqual(plain.moments);
        const [a, b] = [guide(method, { omega }), guide(method, { omega: 0.35 })];
        for (let step = 0; step < 9; step++) expect(a.coefficients(step, 9)).toEqual(b.coefficients(step, 9));
      }
    },
  );
  test("output-space interpolation mixes the predictions by the step's omega", () => {
    const { coefficients, rows } = guide("output-interpolation", { scale: 3, omega: "linear:0..1" });
    expect(rows.map(({ strength }) => strength)).toEqual([1, 1, 0]);
    expect(coefficients(0, 3).output).toEqual([3, -0, -2]);
    expect(coefficients(1, 3).output).toEqual([3, -1, -1]);
    expect(coefficients(2, 3).output).toEqual([3, -2, -0]);
  });
  test("only steps that evaluate the weak model count as moments", () => {
    const { moments, momentAt, computed } = evaluate("pg", { omega: "linear:0..1", guidanceEvery: 3 }, 7);
    expect(moments.map((rows) => rows[1]!.strength)).toEqual([0, 0.5, 1]);
    expect([0, 3, 6].map((step) => [computed(step), momentAt(step)])).toEqual([
      ["all", 0],
      ["all", 1],
      ["all", 2],
    ]);
  });
});

describe("by part", () => {
  test("the most specific named part counts, and what is in none has 1, or the number that comes first", () => {
    const [share] = shares("down=0,up=0.5,up.2=0.25,unet=0.75");
    expect(
      [["down.1", "down", "unet"], ["up.2", "up", "unet"], ["mid", "unet"], ["text_encoder"]].map((names) =>
        shareAt(share!, names),
      ),
    ).toEqual([0, 0.25, 0.75, 1]);
    expect(shareAt(shares("0.6,down=0")[0]!, ["text_encoder"])).toBe(0.6);
  });
  test("parts that all have the rest's number are that number", () => {
    expect(shares("0.3,down=0.3,mid=constant:0.3")).toEqual(Array(5).fill(0.3));
  });
  test("each part may change over the steps", () => {
    expect(shares("0.5,up=step:0..1", 2)).toEqual([
      { parts: { up: 0 }, rest: 0.5 },
      { parts: { up: 1 }, rest: 0.5 },
    ]);
  });
  test("the null text's encoder has the row's shares, or 1 if it is the fine-tuned model's", () => {
    const rows = (nullText: "weak" | "strong") => guide("pg", { omega: "text_encoder=0", nullText }).rows[1]!;
    expect(rows("weak").textStrength).toBeUndefined();
    expect(rows("strong").textStrength).toBe(1);
  });
  test("output-space interpolation refuses it and says why", () => {
    expect(unmetSetting("output-interpolation", { omega: "up=0" })?.why).toContain(
      "predictions are those of the whole",
    );
    expect(unmetSetting("output-interpolation", { omega: "linear:0..1" })).toBeUndefined();
    expect(unmetSetting("pg", { omega: "up=0" })).toBeUndefined();
  });
});

test.each([
  "",
  "0.6",
  "up",
  "up=",
  "=0.5",
  "up=0.5,",
  "up=0.5,up=0.6",
  "up=0.5,0.6",
  "0.6,0.5",
  "linear:0.2",
  "linear:0.2..",
  "linear:0..1@0.5",
  "step:0..1@0",
  "step:0..1@1",
  "Linear:0..1",
  "sine:0..1",
  "linear:0..1e999",
  "up=one",
])("%j is no omega as a text", (text) => {
  expect(isOmega(text)).toBe(false);
});

test.each(["linear:0...5", "cosine:-0.5..1.5", "step:0..1", "up.1=0.5", "0.6,text_encoder_2=cosine:0..1e0"])(
  "%j is an omega",
  (text) => {
    expect(isOmega(text)).toBe(true);
  },
);

test("all its numbers and parts are known, for checks", () => {
  expect(omegasIn("0.6,up=linear:-1..2,down=0").toSorted()).toEqual([-1, 0, 0.6, 2]);
  expect(partsIn("0.6,up=linear:0..1,down.0=0")).toEqual(["up", "down.0"]);
  const setting = settingOf("pg", "omega")!;
  expect(doubtOf(setting, "linear:0.2..0.8")).toBeUndefined();
  expect(doubtOf(setting, "linear:0.2..1.8")).toContain("outside 0 to 1");
});

test("recipes and experiments record it as written", () => {
  for (const name of ["pg", "pg++", "pg-edit"] as GuidanceName[])
    expect(toldOf(name, { omega: "down=0,up=linear:0..1" }).omega).toBe("down=0,up=linear:0..1");
});
