import { describe, expect, test } from "vitest";
import type { Row } from "./guidance.ts";
import { mix } from "./guidance.ts";

import {
  type GivenSettings,
  type GuidanceName,
  guidanceMethods,
  guidanceNames,
  guide,
  methodOf,
  settingNames,
  settingsNamed,
  settingsOf,
  toldOf,
  valuesOf,
} from "./index.ts";

const settings = { scale: 7.5, omega: 0.6, agScale: 2 };

/** Arbitrary predictions, so that no two rows can be mistaken for each other. */
const patternless = ({ text, strength, textStrength = strength, picture }: Row): number =>
  ({ cond: 1.37, null: -2.21, agnostic: 0.53, plain: 0.88 })[text] * Math.cos(1 + Number(textStrength)) +
  0.71 * Number(strength) ** 2 +
  (picture === "none" ? 0.39 : 0);

/** A network linear in its parameters: what it predicts for a row is a number. */
const ends = { cond: [3, 5], null: [-2, 1], agnostic: [0.5, 2], plain: [2.5, 4] } as const;
const linear = ({ text, strength }: Row): number => ends[text][0] + Number(strength) * (ends[text][1] - ends[text][0]);

function run(network: (row: Row) => number, name: GuidanceName, given: GivenSettings = {}, step = 5) {
  const { rows, coefficients } = guide(name, { ...settings, ...given });
  const { output, renoise = output } = coefficients(step, 10);
  const predictions = rows.map((row) => Float64Array.of(network(row)) as unknown as Float32Array);
  const sum = (by: readonly number[]) => by.reduce((all, c, i) => all + c * predictions[i]![0]!, 0);
  expect(mix(predictions, output)[0]).toBeCloseTo(sum(output), 5);
  return { output: sum(output), renoise: sum(renoise) };
}

const output = (name: GuidanceName, given: GivenSettings = {}, step = 5) => run(linear, name, given, step).output;

test.each([
  ["none", 1],
  ["cfg", 2],
  ["ag", 2],
  ["cfg+ag", 3],
  ["autolora", 4],
  ["sag", 3],
  ["sag-additive", 3],
  ["pg", 2],
  ["output-interpolation", 3],
  ["cfg++", 2],
  ["pg++", 2],
  ["style", 3],
  ["cfg-edit", 3],
  ["pg-edit", 3],
] as const)("%s evaluates %i rows", (name, rows) => {
  expect(guide(name, {}).rows).toHaveLength(rows);
});

/**
 * The published formulas by hand, at scale 7.5, omega 0.6 and autoguidance scale 2. Of the network above e(1, c) = 5,
 * e(0, c) = 3, e(1, null) = 1, e(0, null) = -2, e(omega, null) = -0.2, e(1, c0) = 2, and without the style e(0, p) = 2.5.
 */
test.each([
  ["none", 5],
  ["cfg", 31], // 1 + 7.5 (5 - 1)
  ["ag", 7], // 3 + 2 (5 - 3)
  ["cfg+ag", 33], // 5 + 6.5 (5 - 1) + 1 (5 - 3)
  ["autolora", 26.5], // E(1) = 1 + 7.5 * 4 = 31, E(0) = -2 + 7.5 * 5 = 35.5; 35.5 + 2 (31 - 35.5)
  ["sag", 31], // as cfg: the sixth step of ten
  ["sag-additive", 28], // 1 + 7.5 (5 - 1) + 1 (2 - 5)
  ["pg", 38.8], // -0.2 + 7.5 (5 + 0.2)
  ["cfg++", 31],
  ["pg++", 38.8],
  ["style", 39.25], // -2 + 7.5 (2.5 + 2) + 3 (5 - 2.5)
  ["cfg-edit", 31], // 1 + 1.5 (1 - 1) + 7.5 (5 - 1): this network does not depend on the picture
  ["pg-edit", 31.6], // -0.2 + 1.5 (1 + 0.2) + 7.5 (5 - 1)
] as const)("%s of a linear network is its formula's %d", (name, value) => {
  expect(output(name)).toBeCloseTo(value, 4);
});

test("sag begins with the prompt without its learned tokens", () => {
  expect(output("sag", {}, 0)).toBeCloseTo(8.5, 5); // 1 + 7.5 (2 - 1)
});

test.each([
  [10, 1],
  [11, 2],
  [20, 2],
])(
  "of %d steps, sag uses the prompt without learned tokens in the first %d, those in the first tenth",
  (steps, first) => {
    const { coefficients } = guide("sag", settings);
    const agnostic = Array.from({ length: steps }, (_, step) => coefficients(step, steps).output[2] !== 0);
    expect(agnostic.filter(Boolean)).toHaveLength(first);
    expect(agnostic.lastIndexOf(true)).toBe(first - 1);
  },
);

test("cfg++ and pg++ re-noise with the weak prediction, the others with the guided one", () => {
  expect(run(linear, "cfg++").renoise).toBe(1);
  expect(run(linear, "pg++").renoise).toBeCloseTo(-0.2, 6);
  for (const name of guidanceNames.filter((one) => !one.endsWith("++"))) {
    expect(guide(name, {}).coefficients(5, 10).renoise, name).toBeUndefined();
  }
});

test("the scale is 7.5 when none is given, and 0.4 for the methods whose scale is lambda", () => {
  for (const name of guidanceNames.filter((one) => settingsOf(one).some((setting) => setting.name === "scale"))) {
    expect(valuesOf(name, {}).scale, name).toBe(name.endsWith("++") ? 0.4 : 7.5);
  }
});

test.each(guidanceNames)("the coefficients of %s add up to 1 for every choice", (name) => {
  const choices = settingsOf(name).flatMap((one) =>
    one.kind === "choice" ? one.choices.map((choice) => ({ [one.name]: choice })) : [],
  );
  for (const given of [{}, ...choices] as GivenSettings[]) {
    const { rows, coefficients } = guide(name, { ...settings, ...given });
    for (let step = 0; step < 10; step++) {
      const { output, renoise } = coefficients(step, 10);
      for (const row of renoise ? [output, renoise] : [output]) {
        expect(row).toHaveLength(rows.length);
        expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      }
    }
  }
});

describe("each method is its formula", () => {
  const e = (strength: number, text: Row["text"], textStrength = strength) =>
    patternless({ strength, text, textStrength });
  const [A, N, P] = [e(1, "cond"), e(1, "null"), e(0, "cond")];
  const C0 = e(1, "agnostic");
  const [s, a, w, l] = [4.3, 2.7, 0.35, 0.45];
  const S = e(0, "plain");
  const W = e(w, "null");
  // Without the picture: the editing model, and the weak one.
  const [i, U, U0] = [1.9, ...[1, w].map((strength) => patternless({ strength, text: "null", picture: "none" }))] as [
    ...[number, number, number],
  ];
  // The weak models with the fine-tuned text encoder's null text.
  const [T, T0] = [e(w, "null", 1), e(0, "null", 1)];
  const E = (strength: number) => e(strength, "null") + s * (e(strength, "cond") - e(strength, "null"));
  const cases: [name: GuidanceName, given: GivenSettings, output: number, step?: number, renoise?: number][] = [
    ["none", {}, A],
    ["cfg", {}, N + s * (A - N)],
    ["ag", {}, P + a * (A - P)],
    ["cfg+ag", {}, A + (s - 1) * (A - N) + (a - 1) * (A - P)],
    ["cfg+ag", { mix: "sum" }, A + (s - 1) * (A - N) + (a - 1) * (A - P)],
    ["cfg+ag", { mix: "nested-cond" }, N + s * (P + a * (A - P) - N)],
    ["cfg+ag", { mix: "outer" }, P + a * (N + s * (A - N) - P)],
    ["autolora", {}, E(0) + a * (E(1) - E(0))],
    ["sag", {}, N + s * (C0 - N), 0],
    ["sag", {}, N + s * (A - N), 1],
    ["sag", { sagThreshold: 0.5 }, N + s * (C0 - N), 4],
    ["sag", { sagThreshold: 0.5 }, N + s * (A - N), 5],
    ["sag", { sagWeight: -0.3 }, N + s * (C0 - N), 0],
    ["sag", { sagWeight: -0.3 }, N + s * (0.7 * A + 0.3 * C0 - N), 1],
    ["sag-additive", {}, N + s * (A - N) + (C0 - A)],
    ["sag-additive", { sagScale: 0.4 }, N + s * (A - N) + 0.4 * (C0 - A)],
    ["autolora", { nullText: "strong" }, (1 - a) * (T0 + s * (P - T0)) + a * E(1)],
    ["pg", {}, W + s * (A - W)],
    ["cfg-edit", { imageScale: i }, U + i * (N - U) + s * (A - N)],
    ["pg-edit", { imageScale: i }, U0 + i * (N - U0) + s * (A - N)],
    ["pg-edit", { imageScale: i, weakRows: "null" }, U0 + i * (W - U0) + s * (A - W)],
    ["pg", { nullText: "strong" }, T + s * (A - T)],
    ["output-interpolation", {}, A + (s - 1) * (w * (A - N) + (1 - w) * (A - e(0, "null")))],
    ["output-interpolation", { nullText: "strong" }, A + (s - 1) * (w * (A - N) + (1 - w) * (A - T0))],
    ["style", {}, e(0, "null") + s * (S - e(0, "null")) + 3 * (A - S)],
    ["style", { styleScale: 5.5 }, e(0, "null") + s * (S - e(0, "null")) + 5.5 * (A - S)],
    ["style", { styleFrom: 0.2 }, e(0, "null") + s * (S - e(0, "null")), 1],
    ["style", { styleFrom: 0.2 }, e(0, "null") + s * (S - e(0, "null")) + 3 * (A - S), 2],
    ["cfg++", { scale: l }, N + l * (A - N), 5, N],
    ["pg++", { scale: l }, W + l * (A - W), 5, W],
    ["pg++", { scale: l, renoise: "weak" }, W + l * (A - W), 5, W],
    ["pg++", { scale: l, renoise: "strong" }, W + l * (A - W), 5, N],
    ["pg++", { scale: l, nullText: "strong" }, T + l * (A - T), 5, T],
  ];
  test.each(cases.map((one) => ({ one })))("$one.0 $one.1, step $one.3", ({ one }) => {
    const [name, given, expected, step, renoised = expected] = one;
    const found = run(patternless, name, { scale: s, agScale: a, omega: w, ...given }, step);
    // Sums of a few doubles.
    expect(found.output).toBeCloseTo(expected, 12);
    expect(found.renoise).toBeCloseTo(renoised, 12);
  });

  test("every method has a case", () => {
    expect(new Set(cases.map(([name]) => name))).toEqual(new Set(guidanceNames));
  });
});

describe("the threshold of sag", () => {
  /** Steps that see the prompt without its learned token. */
  const before = (sagThreshold: number, steps: number) =>
    Array.from(
      { length: steps },
      (_, step) => guide("sag", { sagThreshold }).coefficients(step, steps).output[0],
    ).filter((cond) => cond === 0).length;
  test.each([
    [0.9, 50, 5],
    [0.9, 10, 1],
    [0.9, 6, 1],
    [0.9, 11, 2],
    [0.7, 10, 3],
    [0.3, 10, 7],
    [0.1, 10, 9],
    [0, 10, 10],
    [1, 10, 0],
  ])("%f: of %i steps, the first %i are without learned tokens", (threshold, steps, count) => {
    expect(before(threshold, steps)).toBe(count);
  });
});

describe("the methods' relations", () => {
  test("pg at omega 1 has exactly cfg's rows and coefficients", () => {
    const [a, b] = [guide("pg", { ...settings, omega: 1 }), guide("cfg", settings)];
    expect([a.rows, a.coefficients(0, 10)]).toEqual([b.rows, b.coefficients(0, 10)]);
  });
  test("pg++ at omega 1 has exactly cfg++'s rows and coefficients", () => {
    const [a, b] = [guide("pg++", { ...settings, omega: 1 }), guide("cfg++", settings)];
    expect([a.rows, a.coefficients(0, 10)]).toEqual([b.rows, b.coefficients(0, 10)]);
  });
  test("pg and output-interpolation at scale 1 are no guidance, whatever omega", () => {
    for (const name of ["pg", "output-interpolation"] as const) {
      expect(run(patternless, name, { scale: 1 }).output).toBeCloseTo(run(patternless, "none").output, 12);
    }
  });
  test("output-interpolation at omega 0 is pg at omega 0", () => {
    const at = (name: GuidanceName) => run(patternless, name, { omega: 0 }).output;
    expect(at("output-interpolation")).toBeCloseTo(at("pg"), 12);
  });
  test("output-interpolation mixes cfg and pg at omega 0; pg does so only on a linear network", () => {
    for (const network of [linear, patternless]) {
      const mixed = 0.6 * run(network, "cfg").output + 0.4 * run(network, "pg", { omega: 0 }).output;
      expect(run(network, "output-interpolation").output).toBeCloseTo(mixed, 12);
      const apart = Math.abs(run(network, "pg").output - mixed);
      if (network === linear) expect(apart).toBeLessThan(1e-12);
      else expect(apart).toBeGreaterThan(0.1);
    }
  });
  test("cfg+ag's sum is ag alone at scale 1", () => expect(output("cfg+ag", { scale: 1 })).toBeCloseTo(output("ag")));
  test("ag at scale 1 is no guidance", () => expect(output("ag", { agScale: 1 })).toBeCloseTo(output("none")));
  test("sag on a prompt without learned tokens is cfg at every step", () => {
    const plain = (row: Row) => patternless(row.text === "agnostic" ? { ...row, text: "cond" } : row);
    for (const step of [0, 9]) {
      expect(run(plain, "sag", {}, step).output).toBeCloseTo(run(plain, "cfg").output, 12);
    }
  });

  const ending = guidanceMethods.filter(({ isBaselineAt }) => isBaselineAt);
  test.each(ending.map(({ name, baseline, isBaselineAt }) => [name, baseline, isBaselineAt] as const))(
    "%s is %s at %j, for every choice and step",
    (name, baseline, at) => {
      const choices = settingsOf(name as GuidanceName).flatMap((one) =>
        one.kind === "choice" ? one.choices.map((choice) => ({ [one.name]: choice })) : [],
      );
      for (const given of choices.length > 0 ? choices : [{}]) {
        for (const step of [0, 9]) {
          const one = run(patternless, name as GuidanceName, { ...given, ...at }, step);
          const other = run(patternless, baseline as GuidanceName, {}, step);
          expect(one.output).toBeCloseTo(other.output, 12);
          expect(one.renoise).toBeCloseTo(other.renoise, 12);
        }
      }
    },
  );
});

describe("the methods' descriptions", () => {
  test("names and labels are unique", () => {
    expect(new Set(guidanceNames).size).toBe(guidanceNames.length);
    expect(new Set(guidanceMethods.map(({ label }) => label)).size).toBe(guidanceNames.length);
  });
  test("settings of the same name have the same kind and hard range in all methods", () => {
    for (const name of settingNames) {
      const facts = settingsNamed(name).map((one) =>
        one.kind === "choice"
          ? [one.kind, one.choices, one.told]
          : [one.kind, ...(one.kind === "number" ? [one.least, one.most] : []), one.told],
      );
      expect(new Set(facts.map((fact) => JSON.stringify(fact))).size, name).toBe(1);
    }
  });
  test.each(guidanceNames)("%s: its baseline exists, defaults are in range, and needs match its rows", (name) => {
    const { baseline, needs, settings } = methodOf(name);
    if (baseline !== undefined) expect(guidanceNames).toContain(baseline);
    for (const one of settings) {
      if (one.kind === "choice") expect(one.choices).toContain(one.default);
      else if (one.usual) {
        expect(one.default).toBeGreaterThanOrEqual(one.usual.from);
        expect(one.default).toBeLessThanOrEqual(one.usual.to);
      }
    }
    const { rows } = guide(name, {});
    expect(needs.includes("learned token")).toBe(rows.some(({ text }) => text === "agnostic"));
    expect(needs.includes("style")).toBe(rows.some(({ text }) => text === "plain"));
    expect(needs.includes("fine-tuning")).toBe(rows.some(({ strength }) => strength !== 1));
  });
  test("a setting's default may differ between methods: lambda is not scale", () => {
    const every = { guidanceEvery: 1, guidanceBetween: "difference", guidanceFrom: 0, guidanceTo: 1 };
    expect(valuesOf("cfg", {})).toEqual({ scale: 7.5, ...every });
    expect(valuesOf("pg++", { omega: 0.1 })).toEqual({
      scale: 0.4,
      omega: 0.1,
      renoise: "weak",
      nullText: "weak",
      ...every,
    });
    expect(valuesOf("cfg", { omega: 0.1 }, { scale: 2.5 })).toEqual({ scale: 2.5, ...every });
  });
  test("settings added later are recorded only if changed", () => {
    expect(toldOf("cfg+ag", { mix: "sum" })).toEqual({ scale: 7.5, agScale: 2 });
    expect(toldOf("cfg+ag", { mix: "outer", scale: 3 })).toEqual({ scale: 3, agScale: 2, mix: "outer" });
  });
});
