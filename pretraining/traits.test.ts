/** Traits as numbers. */
import { expect, test } from "vitest";
import { individualOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { traitReader } from "./traits.ts";

const { width, read } = traitReader();

test("every kind has traits; missing ones are 0 and marked absent", () => {
  for (const noun of subjects.keys()) {
    const { values, present } = read(individualOf(noun, 3));
    expect([values.length, present.length]).toEqual([width, width]);
    expect(present.reduce((a, b) => a + b)).toBeGreaterThan(20);
    for (const [i, value] of values.entries()) if (present[i] === 0) expect(value).toBe(0);
  }
});

test("an individual's values are constant and differ from others'", () => {
  expect(read(individualOf("cat", 1))).toEqual(read(individualOf("cat", 1)));
  expect(read(individualOf("cat", 1)).values).not.toEqual(read(individualOf("cat", 2)).values);
});

test("over other individuals than those measured, means are near 0 and standard deviations near 1", () => {
  const rows = [...subjects.keys()].flatMap((noun) =>
    Array.from({ length: 100 }, (_, seed) => read(individualOf(noun, 5000 + seed))),
  );
  for (let column = 0; column < width; column++) {
    const those = rows.filter(({ present }) => present[column] === 1).map(({ values }) => values[column]!);
    const mean = those.reduce((a, b) => a + b) / those.length;
    const square = those.reduce((sum, value) => sum + (value - mean) ** 2, 0) / those.length;
    // At least 500 individuals: the standard error of a mean is below 0.05, and one in a thousand is off by three times that.
    expect(Math.abs(mean)).toBeLessThan(0.2);
    expect(Math.sqrt(square)).toBeLessThan(1.3);
  }
});
