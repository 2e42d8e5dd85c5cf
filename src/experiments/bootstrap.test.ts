import fc from "fast-check";
import { expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";

const lists = fc.array(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 4,
});

test("the mean is the mean over concepts, however many prompts each has", () => {
  expect(bootstrap([[1], [0, 0, 0]]).mean).toBe(0.5);
});

test("the interval lies within the values, low below high", () => {
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

test("concepts are resampled, not only their prompts", () => {
  // There is no variation within a concept; of two draws from {0, 1} a quarter are both 0, a quarter both 1.
  const { low, high } = bootstrap([[0], [1]]);
  expect([low, high]).toEqual([0, 1]);
});

test("prompts are resampled within each concept", () => {
  const { low, high } = bootstrap([[0, 1]]);
  expect([low, high]).toEqual([0, 1]);
});

test("every call resamples the same concepts and prompts, so that intervals of differences are paired", () => {
  // So uneven that another 2,000 resamples would give other bounds.
  const values = Array.from({ length: 5 }, (_, c) => Array.from({ length: 4 + c }, (_, p) => Math.sin(10 * c + p * p)));
  const own = bootstrap(values);
  expect(bootstrap(values)).toEqual(own);
  // If all values are 1 higher, so is every resampled mean.
  const shifted = bootstrap(values.map((prompts) => prompts.map((value) => value + 1)));
  expect(shifted.low).toBeCloseTo(own.low + 1, 12);
  expect(shifted.high).toBeCloseTo(own.high + 1, 12);
});

test("the interval of many independent values matches the normal distribution", () => {
  // 400 values of standard deviation 0.5: the mean's is 0.025, and 95 % lie within 1.96 times that.
  const values = Array.from({ length: 400 }, (_, i) => i % 2);
  const { low, high } = bootstrap([values]);
  expect(low).toBeCloseTo(0.5 - 1.96 * 0.025, 2);
  expect(high).toBeCloseTo(0.5 + 1.96 * 0.025, 2);
});
