/** The round numbers along an axis. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ticks } from "./ticks.ts";

test.each([
  [0, 1, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]],
  [1, 500, 7, ["100", "200", "300", "400", "500"]],
  [-0.31, 0.29, 4, ["-0.2", "0.0", "0.2"]],
  [0.8954, 0.898, 6, ["0.8955", "0.8960", "0.8965", "0.8970", "0.8975", "0.8980"]],
  [2e6, 9e6, 4, ["2000000", "4000000", "6000000", "8000000"]],
])("from %d to %d, about %d of them", (low, high, most, due) => {
  expect(ticks(low, high, most)).toEqual(due);
});

test("there are no ticks between consecutive steps", () => {
  expect(ticks(1, 3, 7, 1)).toEqual(["1", "2", "3"]);
});

test("ticks lie within any range, are distinct, and are not too many", () => {
  const bound = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const size = fc.double({ min: 1e-4, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(bound, size, fc.integer({ min: 2, max: 12 }), (low, size, most) => {
      const names = ticks(low, low + size, most);
      // The precision of doubles at this magnitude.
      const slack = 1e-9;
      for (const value of names.map(Number)) {
        expect(value).toBeGreaterThanOrEqual(low - slack);
        expect(value).toBeLessThanOrEqual(low + size + slack);
      }
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBeLessThanOrEqual(most + 1);
    }),
  );
});
