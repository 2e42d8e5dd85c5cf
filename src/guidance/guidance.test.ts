import { describe, expect, test } from "vitest";
import { mix } from "./guidance.ts";
import { guidanceNames, methods } from "./methods.ts";

const settings = { scale: 7.5, omega: 0.6, agScale: 2 };

/** A network linear in its parameters: what it predicts for a row is a number. */
const prediction = { cond: [3, 5], null: [-2, 1], agnostic: [0.5, 2] } as const;
const linearNetwork = (text: keyof typeof prediction, strength: number) =>
  Float32Array.of(prediction[text][0] + strength * (prediction[text][1] - prediction[text][0]));

function guide(name: keyof typeof methods, options: Partial<typeof settings> = {}, step = 5): number {
  const { rows, coefficients } = methods[name]({ ...settings, ...options });
  return mix(
    rows.map((row) => linearNetwork(row.text, row.strength)),
    coefficients(step, 10).output,
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
