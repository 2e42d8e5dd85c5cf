/** The loss curve of a trained adapter. */
import { expect, test } from "vitest";
import { lossPlot } from "./loss-plot.ts";

/** The curves' points in pixels; the first two lines with more than two points are the steps and their mean. */
function curvesOf(svg: string): number[][][] {
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number)),
  );
  return lines.filter((points) => points.length > 2);
}

test("every step has a point, and the moving mean covers a twentieth of the run", () => {
  const losses = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 0.3 : 0));
  const [steps, mean] = curvesOf(lossPlot(losses.map((loss, i) => ({ step: i + 1, loss }))));
  expect([steps!.length, mean!.length]).toEqual([60, 60]);
  const [high, low] = [steps![0]![1]!, steps![1]![1]!];
  expect(low).toBeGreaterThan(high);
  // One of every three steps is high, so the mean lies two thirds of the way down, to a tenth of a pixel.
  for (const [, y] of mean!.slice(2)) expect(y).toBeCloseTo(high + ((low - high) * 2) / 3, 0);
  expect(mean![1]![1]).toBeCloseTo((high + low) / 2, 0);
});

test("runs of no steps, one step and hundreds of thousands are drawn", () => {
  const run = (length: number) => Array.from({ length }, (_, i) => ({ step: i + 1, loss: 0.1 }));
  for (const length of [0, 1, 300_000]) {
    const svg = lossPlot(run(length));
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(svg).toMatch(/moving mean<\/text>\n<\/svg>$/);
  }
});
