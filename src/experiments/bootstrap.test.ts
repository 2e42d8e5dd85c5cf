import fc from "fast-check";
import { expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";

const lists = fc.array(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 4,
});

test("the mean is that of the concepts' means, whatever number of prompts each has", () => {
  expect(bootstrap([[1], [0, 0, 0]]).mean).toBe(0.5);
});

test("the interval holds resampled means: within the values, low before high", () => {
  fc.assert(
    fc.property(lists, (values) => {
      const { low, high } = bootstrap(values);
      const all = values.flat();
      expect(low).toBeLessThanOrEqual(high);
      expect(low).toBeGreaterThanOrEqual(Math.min(...all) - 1e-12);
      expect(high).toBeLessThanOrEqual(Math.max(...all) + 1e-12);
    }),
    { numRuns: 20 },
  );
});

test("the interval of many independent values is that of the normal distribution", () => {
  // 400 values of standard deviation 0.5: the mean's is 0.025, and 95 % are within 1.96 of those.
  const values = Array.from({ length: 400 }, (_, i) => i % 2);
  const { low, high } = bootstrap([values]);
  expect(low).toBeCloseTo(0.5 - 1.96 * 0.025, 2);
  expect(high).toBeCloseTo(0.5 + 1.96 * 0.025, 2);
});
