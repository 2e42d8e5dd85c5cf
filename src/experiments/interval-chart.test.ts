import { expect, test } from "vitest";
import { intervalChart, intervalCsv, type Series } from "./interval-chart.ts";

const ink = { text: "#000", faint: "#999" };
const at = (x: number, mean: number) => ({ x, mean, low: mean - 0.1, high: mean + 0.2 });
const series: Series[] = [
  { name: "cfg", points: [at(2, 0.5), at(1, 0.4)] },
  { name: "pg, omega 0.6", points: [at(1, 0.6), { x: 2, mean: 0.7, low: Number.NaN, high: Number.NaN }] },
  { name: "paper: cfg", faint: true, points: [at(1, 0.3), at(2, 0.2)] },
];

/** The points of every polyline of a colour. */
const linesOf = (svg: string, colour: string) =>
  [
    ...svg.matchAll(new RegExp(`<polyline points="([^"]+)"[^>]*stroke="${colour}"[^>]*stroke-width="(2|1.5)"`, "g")),
  ].map(([, points]) => points!.split(" ").map((point) => point.split(",").map(Number)));

test("every mean has a dot, every interval a line through it; a faint series is a dashed line alone", () => {
  const svg = intervalChart(series, { x: "scale", y: "DINO" }, ink);
  expect(svg.match(/<circle/g)).toHaveLength(4);
  const [curve, ...intervals] = linesOf(svg, "#c2410c").filter((line) => line.length === 2);
  // From left to right, whatever the order of the points; then the two intervals, and the legend.
  expect(curve![0]![0]).toBeLessThan(curve![1]![0]!);
  const [first] = intervals;
  expect(first![0]![0]).toBe(first![1]![0]);
  expect(first![0]![1]).toBeGreaterThan(curve![0]![1]!);
  expect(first![1]![1]).toBeLessThan(curve![0]![1]!);
  // A mean without an interval: one interval and the legend beside the curve.
  expect(linesOf(svg, "#2563eb")).toHaveLength(3);
  expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
  for (const { name } of series) expect(svg).toContain(`>${name}</text>`);
});

test("the CSV has the chart's numbers, and no number where there is none", () => {
  expect(intervalCsv(series, "scale")).toBe(
    [
      "series,scale,mean,low,high",
      "cfg,2,0.5,0.4,0.7",
      "cfg,1,0.4,0.3,0.6",
      '"pg, omega 0.6",1,0.6,0.5,0.8',
      '"pg, omega 0.6",2,0.7,,',
      "paper: cfg,1,0.3,0.2,0.5",
      "paper: cfg,2,0.2,0.1,0.4",
      "",
    ].join("\n"),
  );
});
