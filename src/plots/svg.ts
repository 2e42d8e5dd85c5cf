/** SVG elements of plots. Points are in pixels, y downwards. */
export type Point = readonly [x: number, y: number];

export interface Stroke {
  readonly colour: string;
  readonly width: number;
  readonly opacity?: number;
  readonly dashed?: boolean;
}

export interface Letters {
  readonly colour: string;
  readonly size: number;
  readonly anchor: "start" | "middle" | "end";
  /** Rotated to read upwards. */
  readonly upwards?: boolean;
}

const short = (pixels: number): string => String(Math.round(pixels * 10) / 10);

/** Straight lines from point to point. */
export function line(points: readonly Point[], { colour, width, opacity = 1, dashed = false }: Stroke): string {
  const places = points.map(([x, y]) => `${short(x)},${short(y)}`).join(" ");
  return (
    `<polyline points="${places}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"` +
    `${opacity < 1 ? ` stroke-opacity="${opacity}"` : ""}${dashed ? ' stroke-dasharray="5 4"' : ""}/>`
  );
}

export const dot = ([x, y]: Point, radius: number, colour: string): string =>
  `<circle cx="${short(x)}" cy="${short(y)}" r="${radius}" fill="${colour}"/>`;

/** A line of text, vertically centred at the point, which is its start, middle or end. */
export function letters([x, y]: Point, text: string, { colour, size, anchor, upwards = false }: Letters): string {
  const turned = upwards ? ` transform="rotate(-90 ${short(x)} ${short(y)})"` : "";
  return (
    `<text x="${short(x)}" y="${short(y)}" dy="0.35em" font-size="${size}" fill="${colour}" text-anchor="${anchor}"` +
    `${turned}>${escaped(text)}</text>`
  );
}

/** Escapes text for XML and HTML, including attributes. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
