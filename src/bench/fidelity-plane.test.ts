/** What the plane of text against subject fidelity joins. */
import { expect, test } from "vitest";
import { paretoFront } from "./fidelity-plane.ts";

test("the front holds the points that no other beats in both, from the left", () => {
  const points = [
    [0.3, 0.5],
    [0.1, 0.9],
    [0.2, 0.4],
    [0.4, 0.5],
    [0.1, 0.8],
    [0.4, 0.5],
  ] as const;
  expect(paretoFront(points)).toEqual([
    [0.1, 0.9],
    [0.4, 0.5],
    [0.4, 0.5],
  ]);
  expect(paretoFront([])).toEqual([]);
});
