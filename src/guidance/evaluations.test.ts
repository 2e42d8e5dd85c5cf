import { describe, expect, test } from "vitest";
import type { Row } from "./guidance.ts";
import { mix } from "./guidance.ts";
import {
  evaluate,
  type GivenSettings,
  type GuidanceName,
  guidanceNames,
  guide,
  settingOf,
  toldOf,
  unmetSetting,
} from "./index.ts";

/** A row's prediction at a step by an arbitrary network: two numbers, each a curve over the steps. */
const curved = ({ text, strength }: Row, step: number): Float32Array => {
  const a = { cond: 1.3, null: -2.2, plain: 0.9, agnostic: 0.5 }[text] * Math.cos(1 + Number(strength));
  return Float32Array.of(a + Math.sin(a * step), a - 0.1 * step * step);
};

/** Each row's difference from the strong one grows linearly over the steps. */
const evenly = (slope: number) => (row: Row, step: number) => {
  const strong = Math.sin(step);
  const apart = row.text === "cond" && row.strength === 1 ? 0 : Number(row.strength) + 1;
  return Float32Array.of(strong + apart * (2 + slope * step), strong - apart);
};

/** The guided predictions of all steps, and the rows that were computed. */
function run(
  network: (row: Row, step: number) => Float32Array,
  name: GuidanceName,
  given: GivenSettings = {},
  steps = 12,
) {
  const { rows, rowsAStep, computed, guided } = evaluate(name, given, steps);
  const outputs: number[][] = [];
  const renoised: (number[] | undefined)[] = [];
  const asked: number[] = [];
  let evaluated: Parameters<typeof guided>[2] = [];
  for (let step = 0; step < steps; step++) {
    const now = computed(step) === "all" ? rows : rows.slice(0, 1);
    const one = guided(
      step,
      now.map((row) => network(row, step)),
      evaluated,
    );
    ({ evaluated } = one);
    outputs.push([...one.prediction.output]);
    renoised.push(one.prediction.renoise && [...one.prediction.renoise]);
    asked.push(now.length);
  }
  return { outputs, renoised, asked, rowsAStep };
}

const taking = guidanceNames.filter((name) => settingOf(name, "guidanceEvery"));
const strong = (network: typeof curved, steps = 12) =>
  Array.from({ length: steps }, (_, step) => [...network({ text: "cond", strength: 1 }, step)]);

test("every method supports fewer evaluations, or says why not", () => {
  expect(guidanceNames.filter((name) => !taking.includes(name))).toEqual(["none", "sag"]);
  expect(unmetSetting("sag", { guidanceEvery: 2 })?.why).toContain("follow different prompts");
  expect(unmetSetting("none", { guidanceTo: 0.5 })?.why).toContain("no second prediction");
  for (const name of guidanceNames) {
    expect(unmetSetting(name, { guidanceEvery: 1, guidanceFrom: 0, guidanceTo: 1 })).toBeUndefined();
    expect(unmetSetting(name, {})).toBeUndefined();
  }
});

describe.each(guidanceNames)("%s by default", (name) => {
  test("is mixed from all its rows at every step, bit for bit", () => {
    const { rows, coefficients } = guide(name, {});
    const { outputs, renoised, asked, rowsAStep } = run(curved, name);
    for (const [step, output] of outputs.entries()) {
      const predictions = rows.map((row) => curved(row, step));
      const { output: by, renoise } = coefficients(step, 12);
      expect(output).toEqual([...mix(predictions, by)]);
      expect(renoised[step]).toEqual(renoise && [...mix(predictions, renoise)]);
    }
    expect(new Set(asked)).toEqual(new Set([rows.length]));
    expect(rowsAStep).toBe(rows.length);
  });
});

describe.each(taking)("%s with fewer evaluations", (name) => {
  const rows = guide(name, {}).rows.length;

  test("computes only the strong row between every third step, and gives the mean number of rows", () => {
    const { asked, rowsAStep } = run(curved, name, { guidanceEvery: 3 }, 10);
    expect(asked).toEqual([rows, 1, 1, rows, 1, 1, rows, 1, 1, rows]);
    expect(rowsAStep).toBeCloseTo(asked.reduce((a, b) => a + b) / 10, 12);
  });

  test("gives the same as all evaluations if what is kept does not change", () => {
    const full = run(evenly(0), name).outputs;
    const held = run(evenly(0), name, { guidanceEvery: 4 });
    // Sums of a few float32 values of size 10.
    for (const [step, output] of held.outputs.entries())
      for (const [i, value] of output.entries()) expect(value).toBeCloseTo(full[step]![i]!, 4);
    expect(run(evenly(0.3), name, { guidanceEvery: 4 }).outputs[2]![0]).not.toBeCloseTo(
      run(evenly(0.3), name).outputs[2]![0]!,
      1,
    );
  });

  test("extrapolated, gives the same as all evaluations from the second one on, if differences grow linearly", () => {
    const full = run(evenly(0.3), name);
    const line = run(evenly(0.3), name, { guidanceEvery: 3, guidanceBetween: "extrapolated" });
    for (let step = 3; step < 12; step++) {
      for (const [i, value] of line.outputs[step]!.entries()) expect(value).toBeCloseTo(full.outputs[step]![i]!, 4);
      for (const [i, value] of (line.renoised[step] ?? []).entries())
        expect(value).toBeCloseTo(full.renoised[step]![i]!, 4);
    }
    expect(line.outputs[1]![0]).not.toBeCloseTo(full.outputs[1]![0]!, 1);
  });

  test("mixes the strong prediction with earlier weak ones, if those are kept", () => {
    const { rows, coefficients } = guide(name, {});
    const { outputs } = run(curved, name, { guidanceEvery: 2, guidanceBetween: "weak" });
    const predictions = rows.map((row, i) => curved(row, i === 0 ? 5 : 4));
    expect(outputs[5]).toEqual([...mix(predictions, coefficients(5, 12).output)]);
  });

  test("is no guidance outside its interval of steps, and the method itself inside", () => {
    const part = run(curved, name, { guidanceFrom: 0.25, guidanceTo: 0.75 });
    const [full, none] = [run(curved, name), strong(curved)];
    expect(part.asked).toEqual([1, 1, 1, ...Array(6).fill(rows), 1, 1, 1]);
    expect(part.outputs).toEqual([...none.slice(0, 3), ...full.outputs.slice(3, 9), ...none.slice(9)]);
    expect(part.renoised).toEqual([
      ...Array(3).fill(undefined),
      ...full.renoised.slice(3, 9),
      ...Array(3).fill(undefined),
    ]);
  });
});

test("an interval and every so many steps combine: steps are counted from where guidance begins", () => {
  const { asked } = run(curved, "pg", { guidanceEvery: 2, guidanceFrom: 0.1, guidanceTo: 0.7 }, 10);
  expect(asked).toEqual([1, 2, 1, 2, 1, 2, 1, 1, 1, 1]);
});

test.each([
  [0.3, 0.7, 10, 3, 7],
  [0.1, 0.9, 6, 1, 6],
  [0.55, 0.6, 20, 11, 12],
])(
  "the interval %f to %f of %i steps is steps %i up to, not including, %i",
  (guidanceFrom, guidanceTo, steps, first, end) => {
    const { asked } = run(curved, "cfg", { guidanceFrom, guidanceTo }, steps);
    expect([asked.indexOf(2), asked.lastIndexOf(2) + 1]).toEqual([first, end]);
  },
);

test("an interval that ends where it begins, or before, is refused", () => {
  expect(unmetSetting("pg", { guidanceFrom: 0.6, guidanceTo: 0.4 })).toMatchObject({ name: "guidanceFrom" });
  expect(unmetSetting("pg", { guidanceFrom: 1 })?.why).toContain("ends at 1");
});

test("recipes record it only if changed", () => {
  expect(toldOf("pg", { guidanceEvery: 1, guidanceBetween: "difference", guidanceTo: 1 })).toEqual({
    scale: 7.5,
    omega: 0.6,
  });
  expect(toldOf("pg", { guidanceEvery: 3, guidanceFrom: 0.2 })).toMatchObject({ guidanceEvery: 3, guidanceFrom: 0.2 });
});
