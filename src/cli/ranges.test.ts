import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { parseNumbers } from "./ranges.ts";

describe("lists and ranges of numbers", () => {
  test("0:1:0.1 gives eleven values without rounding errors", () => {
    expect(parseNumbers("--omega", "0:1:0.1")).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });

  test.each([
    ["5,7.5,10", [5, 7.5, 10]],
    ["7", [7]],
    ["0:3", [0, 1, 2, 3]],
    ["1:0:-0.25", [1, 0.75, 0.5, 0.25, 0]],
    ["-0.5:0.5:0.5", [-0.5, 0, 0.5]],
    ["0:1:0.3", [0, 0.3, 0.6, 0.9]],
    ["0:0.2:0.1,1, 0.1", [0, 0.1, 0.2, 1]],
    ["1e-3:3e-3:1e-3", [0.001, 0.002, 0.003]],
    ["2:2:1", [2]],
    ["-0", [0]],
  ])("%s", (text, values) => {
    expect(parseNumbers("--omega", text)).toEqual(values);
  });

  test.each([
    ["1,,2", "1,,2"],
    ["", "--omega"],
    ["0:1:0", "step of 0"],
    ["0:1:-0.1", "step of -0.1"],
    ["1:0:0.1", "step of 0.1"],
    ["0:1:0.1:2", "first:last:step"],
    ["0:x:1", "x"],
    ["0::1", '""'],
    ["nan", "nan"],
    ["0:1e9:0.001", "10000"],
    ["0:1:1e-300", "10000"],
  ])("%j is refused, naming the option", (text, fact) => {
    expect(() => parseNumbers("--omega", text)).toThrow(refusal("option-invalid", "--omega", fact));
  });

  test("every value of a decimal range is the double closest to the exact decimal", () => {
    const tenths = fc.integer({ min: -500, max: 500 });
    fc.assert(
      fc.property(tenths, fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 30 }), (first, count, step) => {
        const written = (n: number) => (n / 100).toFixed(2);
        const last = first + count * step;
        const values = parseNumbers("--omega", `${written(first)}:${written(last)}:${written(step)}`);
        expect(values).toEqual(Array.from({ length: count + 1 }, (_, i) => Number(written(first + i * step)) || 0));
      }),
    );
  });
});
