/** The plot of text fidelity against subject fidelity. */
import { expect, test } from "vitest";
import { fidelityPlane, paretoFront } from "./fidelity-plane.ts";
import type { ArmResult } from "./results.ts";

test("the Pareto front has the points that no other beats in both, from the left", () => {
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

test("tick labels of an axis are distinct, however close the points", () => {
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
  const ticks = [...svg.matchAll(/>(0\.\d+)</g)].map(([, tick]) => tick!);
  expect(ticks.length).toBeGreaterThan(3);
  expect(new Set(ticks).size).toBe(ticks.length);
});

test("each arm has a dot and its name; arms with an omega share a colour and are joined up to their baseline", () => {
  const arm = (name: string, guidance: "pg" | "cfg", clipT: number, dino: number, omega?: number): ArmResult =>
    ({
      name,
      personalisation: "dreambooth",
      arm: { guidance, scale: 4, ...(omega === undefined ? {} : { omega }) },
      scores: { clipT: { mean: clipT }, dino: { mean: dino } },
    }) as ArmResult;
  const arms = [arm("cfg", "cfg", 0.9, 0.6), arm("pg 0.6", "pg", 0.85, 0.65, 0.6), arm("pg 0", "pg", 0.8, 0.7, 0)];
  const svg = fidelityPlane(arms, { text: "#000", faint: "#999", point: "#333", curve: "#c30" });
  const dots = [...svg.matchAll(/<circle cx="([^"]+)" cy="([^"]+)" r="5" fill="(#...)"/g)].map(([, ...found]) => found);
  expect(dots.map(([, , colour]) => colour)).toEqual(["#333", "#c30", "#c30"]);
  for (const { name } of arms) expect(svg).toContain(`>${name}</text>`);
  const path = [2, 1, 0].map((i) => `${dots[i]![0]},${dots[i]![1]}`).join(" ");
  expect(svg).toContain(`<polyline points="${path}" fill="none" stroke="#c30"`);
});
