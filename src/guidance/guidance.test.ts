import { describe, expect, test } from "vitest";
import { mix } from "./guidance.ts";
import { defaultScale, guidanceNames, methods } from "./methods.ts";

const settings = { scale: 7.5, omega: 0.6, agScale: 2 };

/** A network linear in its parameters: what it predicts for a row is a number. */
const prediction = { cond: [3, 5], null: [-2, 1], agnostic: [0.5, 2] } as const;
const linearNetwork = (text: keyof typeof prediction, strength: number) =>
  Float32Array.of(prediction[text][0] + strength * (prediction[text][1] - prediction[text][0]));

function guide(
  name: keyof typeof methods,
  options: Partial<typeof settings> = {},
  step = 5,
  which: "output" | "renoise" = "output",
): number {
  const { rows, coefficients } = methods[name]({ ...settings, ...options });
  return mix(
    rows.map((row) => linearNetwork(row.text, row.strength)),
    coefficients(step, 10)[which]!,
  )[0]!;
}

test.each([
  ["none", 1],
  ["cfg", 2],
  ["ag", 2],
  ["cfg+ag", 3],
  ["autolora", 4],
  ["sag", 3],
  ["sag-additive", 3],
  ["pg", 2],
  ["cfg++", 2],
  ["pg++", 2],
] as const)("%s evaluates %i rows", (name, rows) => {
  expect(methods[name](settings).rows).toHaveLength(rows);
});

/**
 * The published formulas by hand, at scale 7.5, omega 0.6 and autoguidance scale 2. Of the network above e(1, c) = 5,
 * e(0, c) = 3, e(1, null) = 1, e(0, null) = -2, e(omega, null) = -0.2 and e(1, c0) = 2.
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
] as const)("%s of a linear network is its formula's %d", (name, value) => {
  expect(guide(name)).toBeCloseTo(value, 4);
});

test("sag begins with the prompt without its learned tokens", () => {
  expect(guide("sag", {}, 0)).toBeCloseTo(8.5, 5); // 1 + 7.5 (2 - 1)
});

test("cfg++ and pg++ re-noise with the weak prediction alone, the others with the guided one", () => {
  expect(guide("cfg++", {}, 5, "renoise")).toBe(1);
  expect(guide("pg++", {}, 5, "renoise")).toBeCloseTo(-0.2, 6);
  for (const name of guidanceNames.filter((one) => !one.endsWith("++"))) {
    expect(methods[name](settings).coefficients(5, 10).renoise, name).toBeUndefined();
  }
});

test("the scale is 7.5 when none is given, and 0.4 for the methods whose scale is lambda", () => {
  expect(Object.fromEntries(guidanceNames.map((name) => [name, defaultScale(name)]))).toEqual({
    ...Object.fromEntries(guidanceNames.map((name) => [name, 7.5])),
    "cfg++": 0.4,
    "pg++": 0.4,
  });
});

test.each(guidanceNames)("the coefficients of %s add up to 1", (name) => {
  for (let step = 0; step < 10; step++) {
    const { output, renoise } = methods[name](settings).coefficients(step, 10);
    for (const row of renoise ? [output, renoise] : [output]) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  }
});

describe("the methods' relations", () => {
  test("pg at omega 1 asks for exactly what cfg asks for", () => {
    const [a, b] = [methods.pg({ ...settings, omega: 1 }), methods.cfg(settings)];
    expect([a.rows, a.coefficients(0, 10)]).toEqual([b.rows, b.coefficients(0, 10)]);
  });
  test("pg++ at omega 1 asks for exactly what cfg++ asks for", () => {
    const [a, b] = [methods["pg++"]({ ...settings, omega: 1 }), methods["cfg++"](settings)];
    expect([a.rows, a.coefficients(0, 10)]).toEqual([b.rows, b.coefficients(0, 10)]);
  });
  test("pg at scale 1 is no guidance, whatever omega", () => {
    expect(guide("pg", { scale: 1 })).toBeCloseTo(guide("none"));
  });
  test("on a linear network pg is the mix of cfg and pg at omega 0", () => {
    expect(guide("pg")).toBeCloseTo(0.6 * guide("cfg") + 0.4 * guide("pg", { omega: 0 }), 5);
  });
  test("cfg+ag is cfg at ag scale 1, and ag alone at scale 1", () => {
    expect(guide("cfg+ag", { agScale: 1 })).toBeCloseTo(guide("cfg"));
    expect(guide("cfg+ag", { scale: 1 })).toBeCloseTo(guide("ag"));
  });
  test("autolora at ag scale 1 is cfg", () => expect(guide("autolora", { agScale: 1 })).toBeCloseTo(guide("cfg")));
  test("ag at scale 1 is no guidance", () => expect(guide("ag", { agScale: 1 })).toBeCloseTo(guide("none")));
  test("sag is cfg on the subject-agnostic prompt in the first tenth of the steps, and cfg after", () => {
    expect(guide("sag", {}, 0)).toBeCloseTo(1 + 7.5 * (2 - 1));
    expect(guide("sag", {}, 1)).toBeCloseTo(guide("cfg"));
  });
});
