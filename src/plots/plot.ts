/** A plot as an SVG document: two axes with round ticks, with lines, dots and text over them. */
import { letters, line, type Point } from "./svg.ts";
import { ticks } from "./ticks.ts";

export interface Axis {
  readonly name: string;
  readonly range: readonly [low: number, high: number];
  /** The least distance between ticks. */
  readonly leastStep?: number;
}

export interface Frame {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Horizontal. */
  readonly x: Axis;
  /** Vertical. */
  readonly y: Axis;
  readonly ink: {
    readonly text: string;
    readonly faint: string;
    /** Background colour, if any. */
    readonly paper?: string;
  };
}

export interface Plot {
  /** The position of a data point, in pixels. */
  at(point: Point): Point;
  /** The document, with these parts over the axes. */
  document(parts: readonly string[]): string;
}

const margin = { left: 78, right: 48, top: 32, bottom: 58 };

/**
 * The range of the points' values along x (0) or y (1), extended by a share of itself on each side; never empty.
 */
export function around(points: readonly Point[], along: 0 | 1, share: number): [low: number, high: number] {
  const low = points.reduce((least, point) => Math.min(least, point[along]), Number.POSITIVE_INFINITY);
  const high = points.reduce((greatest, point) => Math.max(greatest, point[along]), Number.NEGATIVE_INFINITY);
  const room = high > low ? (high - low) * share : Math.abs(low) / 10 || 1;
  return [low - room, high + room];
}

/** Lays out an empty plot. */
export function createPlot({ width, height, x, y, ink }: Frame): Plot {
  const [left, right, top, bottom] = [margin.left, width - margin.right, margin.top, height - margin.bottom];
  const along = ([low, high]: Axis["range"], value: number) => (value - low) / (high - low);
  const toX = (value: number) => left + along(x.range, value) * (right - left);
  const toY = (value: number) => bottom - along(y.range, value) * (bottom - top);
  const rule = (from: Point, to: Point, opacity: number) => line([from, to], { colour: ink.faint, width: 1, opacity });
  const tickName = { colour: ink.faint, size: 12 };
  const axisName = { colour: ink.text, size: 13, anchor: "middle" } as const;

  const axes = [
    ...ticks(...x.range, (right - left) / 100, x.leastStep).flatMap((tick) => {
      const px = toX(Number(tick));
      const name = letters([px, bottom + 14], tick, { ...tickName, anchor: "middle" });
      return [rule([px, top], [px, bottom], 0.18), name];
    }),
    ...ticks(...y.range, (bottom - top) / 40, y.leastStep).flatMap((tick) => {
      const py = toY(Number(tick));
      const name = letters([left - 8, py], tick, { ...tickName, anchor: "end" });
      return [rule([left, py], [right, py], 0.18), name];
    }),
    rule([left, top], [left, bottom], 1),
    rule([left, bottom], [right, bottom], 1),
    letters([(left + right) / 2, bottom + 40], x.name, axisName),
    letters([16, (top + bottom) / 2], y.name, { ...axisName, upwards: true }),
  ];
  return {
    at: ([a, b]) => [toX(a), toY(b)],
    document: (parts) =>
      [
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif">`,
        ...(ink.paper === undefined ? [] : [`<rect width="${width}" height="${height}" fill="${ink.paper}"/>`]),
        ...axes,
        ...parts,
        "</svg>",
      ].join("\n"),
  };
}
