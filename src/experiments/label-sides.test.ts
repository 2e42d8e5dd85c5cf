/** Placement of labels beside their points. */
import { expect, test } from "vitest";
import { labelPlace, labelSides } from "./label-sides.ts";

test("a label is to the right of its point if there is room", () => {
  expect(labelSides([[50, 50]], ["cfg"], [], 200)).toEqual(["right"]);
  expect(labelSides([], [], [], 200)).toEqual([]);
});

test("labels of neighbouring points avoid points and other labels", () => {
  const points = [
    [100, 50],
    [115, 51],
    [160, 57],
  ] as const;
  expect(labelSides(points, ["pg 0", "pg 0.2", "pg 0.4"], [], 300)).toEqual(["left", "top", "right"]);
});

test("three labels of one place take three sides", () => {
  const here = [100, 100] as const;
  expect(new Set(labelSides([here, here, here], ["a", "b", "c"], [], 200)).size).toBe(3);
});

test("a label stays within the plot", () => {
  expect(labelSides([[180, 50]], ["dreambooth"], [], 200)).toEqual(["left"]);
  expect(labelSides([[5, 50]], ["dreambooth"], [], 200)).toEqual(["right"]);
});

test("among free places a label prefers one without a line", () => {
  const line = [
    [50, 50],
    [150, 50],
  ] as const;
  expect(labelSides([[50, 50]], ["pg 0"], [line], 200)).toEqual(["left"]);
});

test("a label keeps clear of its point on every side", () => {
  expect(labelPlace([100, 50], "right")).toEqual([[110, 50], "start"]);
  expect(labelPlace([100, 50], "left")).toEqual([[90, 50], "end"]);
  expect(labelPlace([100, 50], "top")).toEqual([[100, 34], "middle"]);
  expect(labelPlace([100, 50], "bottom")).toEqual([[100, 66], "middle"]);
});
