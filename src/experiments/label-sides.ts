/** Chooses on which side of its point each label goes, so that labels do not overlap. */
import type { Point } from "../plots/svg.ts";

export type Side = "right" | "left" | "top" | "bottom";

/** Pixels. */
export const labelSize = 12;
export const dotRadius = 5;
const away = 2 * dotRadius;

type Box = readonly [left: number, top: number, right: number, bottom: number];

/**
 * For each point, in pixels with y downwards, the side on which its label overlaps the fewest points and earlier labels, then the
 * fewest lines. Labels stay within the plot's width.
 */
export function labelSides(
  points: readonly Point[],
  names: readonly string[],
  lines: readonly (readonly Point[])[],
  width: number,
): Side[] {
  const taken: Box[] = points.map(([x, y]) => [x - dotRadius, y - dotRadius, x + dotRadius, y + dotRadius]);
  const crossed = lines.map(alongLine);
  const badness = (box: Box): number => {
    if (box[0] < 0 || box[2] > width) return Number.POSITIVE_INFINITY;
    const covered = taken.filter((other) => meet(box, other)).length;
    return covered * (lines.length + 1) + crossed.filter((line) => line.some((point) => holds(box, point))).length;
  };
  return points.map((point, i) => {
    const boxes = boxesOf(point, names[i]!);
    const bad = boxes.map(([, box]) => badness(box));
    const [side, box] = boxes[bad.indexOf(Math.min(...bad))]!;
    taken.push(box);
    return side;
  });
}

/** The anchor position (vertically centred) and text anchor of a label on that side of a point. */
export function labelPlace([x, y]: Point, side: Side): [Point, anchor: "start" | "middle" | "end"] {
  const places: Readonly<Record<Side, [Point, "start" | "middle" | "end"]>> = {
    right: [[x + away, y], "start"],
    left: [[x - away, y], "end"],
    top: [[x, y - away - labelSize / 2], "middle"],
    bottom: [[x, y + away + labelSize / 2], "middle"],
  };
  return places[side];
}

/** Points along a line, a few pixels apart. */
function alongLine(line: readonly Point[]): Point[] {
  return line.slice(1).flatMap(([x, y], i) => {
    const [x0, y0] = line[i]!;
    const count = Math.ceil(Math.hypot(x - x0, y - y0) / 3);
    return Array.from({ length: count + 1 }, (_, k): Point => {
      const t = k / Math.max(1, count);
      return [x0 + t * (x - x0), y0 + t * (y - y0)];
    });
  });
}

function boxesOf([x, y]: Point, name: string): readonly (readonly [Side, Box])[] {
  const [width, height] = [name.length * labelSize * 0.6, labelSize];
  return [
    ["right", [x + away, y - height / 2, x + away + width, y + height / 2]],
    ["left", [x - away - width, y - height / 2, x - away, y + height / 2]],
    ["top", [x - width / 2, y - away - height, x + width / 2, y - away]],
    ["bottom", [x - width / 2, y + away, x + width / 2, y + away + height]],
  ];
}

const meet = (a: Box, b: Box): boolean => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

const holds = ([left, top, right, bottom]: Box, [x, y]: Point): boolean =>
  x >= left && x <= right && y >= top && y <= bottom;
