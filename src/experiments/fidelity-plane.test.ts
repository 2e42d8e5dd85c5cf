/** What the plane of text against subject fidelity joins. */
import { expect, test } from "vitest";
import { fidelityPlane, paretoFront } from "./fidelity-plane.ts";
import type { ArmResult } from "./results.ts";

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

test("no two ticks of an axis are named alike, however near the points", () => {
  const armAt = (omega: number): ArmResult =>
    ({
      name: `pg ${omega}`,
      personalisation: "dreambooth",
      arm: { guidance: "pg", scale: 4, omega },
      scores: { clipT: { mean: 0.8975 - 0.002 * omega }, dino: { mean: 0.65 + 0.002 * omega } },
    }) as ArmResult;
  const svg = fidelityPlane([armAt(0), armAt(0.5), armAt(0.9)], {
    text: "#000",
    faint: "#999",
    point: "#333",
    curve: "#c30",
  });
  const ticks = [...svg.matchAll(/>(0\.\d{3})</g)].map(([, tick]) => tick!);
  expect(ticks.length).toBeGreaterThan(3);
  expect(new Set(ticks).size).toBe(ticks.length);
});
