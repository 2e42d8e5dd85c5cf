/** Parts shared by several scenes. */
import type { Random } from "../random.ts";
import { circle, ellipse, gradient, group, path, polygon, rect, stroke } from "../svg.ts";

export const sky = (id: string, ...colours: readonly string[]): string =>
  gradient(`sky${id}`, 0, 0, 128, 128, ...colours);

export const sun = (x: number, y: number, r: number, colour: string): string =>
  circle(x, y, r * 1.8, colour, { opacity: 0.25 }) + circle(x, y, r, colour);

export const cloud = (x: number, y: number, size: number, fill = "#ffffff"): string =>
  group(
    `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`,
    ellipse(0, 0, 13, 5, fill),
    circle(-5, -3, 5, fill),
    circle(3, -5, 6.5, fill),
  );

/** Hilly ground from y down. */
export const hills = (y: number, rise: number, fill: string, random: Random): string => {
  const [a, b] = [random.range(-rise, rise), random.range(-rise, rise)];
  return path(`M0 ${y}Q32 ${(y + a).toFixed(1)} 64 ${y}T128 ${(y + b / 3).toFixed(1)}L128 128L0 128Z`, fill);
};

export const fir = (x: number, y: number, size: number, fill: string): string =>
  group(
    `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`,
    rect(-1.5, -4, 3, 5, "#5b3d27"),
    ...[0, 7, 13].map((up, i) => path(polygon([-9 + 2 * i, -3 - up], [0, -15 - up], [9 - 2 * i, -3 - up]), fill)),
  );

export const tree = (x: number, y: number, size: number, fill: string, fill2: string): string =>
  group(
    `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`,
    path("M-2.5 0L-1.5 -20L1.5 -20L2.5 0Z", "#6b4a2f"),
    circle(-7, -24, 9, fill),
    circle(7, -25, 9, fill),
    circle(0, -33, 11, fill),
    circle(-3, -35, 5, fill2),
    circle(6, -27, 4, fill2),
  );

/** A row of buildings with lit windows, their base at y. */
export function buildings(
  y: number,
  count: number,
  high: readonly [number, number],
  colours: readonly string[],
  windows: string,
  random: Random,
): string {
  const width = 128 / count;
  return Array.from({ length: count }, (_, i) => {
    const height = random.range(...high);
    const x = i * width;
    const panes = Array.from({ length: Math.floor(height / 8) * 2 }, (_, k) =>
      random.chance(0.7)
        ? rect(
            x + 2 + (k % 2) * (width / 2 - 0.5),
            y - height + 3 + Math.floor(k / 2) * 8,
            width / 2 - 3.5,
            4,
            windows,
            { opacity: 0.85 },
          )
        : "",
    );
    return rect(x, y - height, width - 0.6, height, random.pick(colours)) + panes.join("");
  }).join("");
}

/** Floorboards in perspective, from y down. */
export const boards = (y: number, fill: string, line: string): string =>
  rect(0, y, 128, 128 - y, fill) +
  stroke(
    [0, 1, 2, 3]
      .map((i) => `M0 ${y + ((128 - y) * (i * (i + 3))) / 18}L128 ${y + ((128 - y) * (i * (i + 3))) / 18}`)
      .join(""),
    line,
    1,
  ) +
  stroke(
    Array.from({ length: 9 }, (_, i) => `M${64 + (i - 4) * 14} ${y}L${64 + (i - 4) * 30} 128`).join(""),
    line,
    0.7,
  );

export const scattered = (
  count: number,
  random: Random,
  one: (x: number, y: number) => string,
  top = 0,
  bottom = 128,
): string => Array.from({ length: count }, () => one(random.range(2, 126), random.range(top, bottom))).join("");

export const flat = (y: number, fill: string): string => rect(0, y, 128, 128 - y, fill);
