/** A chart of means with their 95 % intervals over a number: scale, steps, rank or omega. */
import { around, createPlot } from "../plots/plot.ts";
import { dot, letters, line, type Point } from "../plots/svg.ts";
import type { Interval } from "./crossed.ts";
import type { Ink } from "./fidelity-plane.ts";

/** A line of the chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly (Interval & { readonly x: number })[];
  /** Drawn dashed, without dots: a published curve, or a bound. */
  readonly faint?: boolean | undefined;
}

/** Shades from the most to the least saturated, on light and on dark paper alike. */
const colours = ["#c2410c", "#2563eb", "#15803d", "#9333ea", "#b45309", "#0e7490", "#be185d", "#4d7c0f"];

/** An SVG document. */
export function intervalChart(
  series: readonly Series[],
  names: { readonly x: string; readonly y: string },
  ink: Omit<Ink, "point" | "curve">,
  size: { readonly width: number; readonly height: number } = { width: 760, height: 360 },
): string {
  const corners = series.flatMap(({ points }) =>
    points.flatMap(({ x, mean, low, high }): Point[] => [
      [x, mean],
      [x, Number.isNaN(low) ? mean : low],
      [x, Number.isNaN(high) ? mean : high],
    ]),
  );
  const plot = createPlot({
    ...size,
    x: { name: names.x, range: around(corners, 0, 0.06) },
    y: { name: names.y, range: around(corners, 1, 0.08) },
    ink,
  });
  // Intervals at the same place are drawn side by side.
  const solid = series.filter(({ faint }) => !faint);
  const shift = (one: Series) => (solid.indexOf(one) - (solid.length - 1) / 2) * 5;
  const parts = series.flatMap((one) => {
    const colour = colourOf(one, series, ink);
    const at = (x: number, y: number): Point => {
      const [px, py] = plot.at([x, y]);
      return [one.faint ? px : px + shift(one), py];
    };
    const sorted = one.points.toSorted((a, b) => a.x - b.x);
    const path = line(
      sorted.map(({ x, mean }) => at(x, mean)),
      { colour, width: one.faint ? 1.5 : 2, dashed: one.faint ?? false },
    );
    if (one.faint) return [path];
    return [
      path,
      ...sorted.flatMap(({ x, mean, low, high }) => [
        ...(Number.isNaN(low) ? [] : [line([at(x, low), at(x, high)], { colour, width: 1.5, opacity: 0.7 })]),
        dot(at(x, mean), 3.5, colour),
      ]),
    ];
  });
  // The legend stands above the axes, a line for every three.
  const legend = series.flatMap((one, i) => {
    const [x, y] = [90 + (i % 3) * ((size.width - 130) / 3), 10 + Math.floor(i / 3) * 13];
    const colour = colourOf(one, series, ink);
    return [
      line(
        [
          [x, y],
          [x + 16, y],
        ],
        { colour, width: 2, dashed: one.faint ?? false },
      ),
      letters([x + 21, y], one.name, { colour: ink.text, size: 11, anchor: "start" }),
    ];
  });
  return plot.document([...parts, ...legend]);
}

function colourOf(one: Series, series: readonly Series[], ink: { readonly faint: string }): string {
  if (one.faint) return ink.faint;
  return colours[series.filter(({ faint }) => !faint).indexOf(one) % colours.length]!;
}

/** The chart's numbers as CSV, a line for each point. */
export function intervalCsv(series: readonly Series[], x: string): string {
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const number = (value: number) => (Number.isNaN(value) ? "" : String(Math.round(value * 1e6) / 1e6));
  const lines = series.flatMap(({ name, points }) =>
    points.map(({ x, mean, low, high }) => [quoted(name), x, number(mean), number(low), number(high)].join(",")),
  );
  return `${["series", quoted(x), "mean", "low", "high"].join(",")}\n${lines.join("\n")}\n`;
}
