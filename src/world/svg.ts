/** SVG as text: the shapes used by the world. */

type Attributes = Readonly<Record<string, string | number | undefined>>;

const short = (value: string | number): string =>
  typeof value === "number" ? String(Math.round(value * 100) / 100) : value;

function element(name: string, attributes: Attributes, content?: string): string {
  let text = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) text += ` ${key}="${short(value)}"`;
  return content === undefined ? `${text}/>` : `${text}>${content}</${name}>`;
}

export const ellipse = (cx: number, cy: number, rx: number, ry: number, fill: string, more: Attributes = {}): string =>
  element("ellipse", { cx, cy, rx, ry, fill, ...more });

export const circle = (cx: number, cy: number, r: number, fill: string, more: Attributes = {}): string =>
  element("circle", { cx, cy, r, fill, ...more });

export const rect = (
  x: number,
  y: number,
  width: number,
  height: number,
  fill: string,
  more: Attributes = {},
): string => element("rect", { x, y, width, height, fill, ...more });

export const path = (d: string, fill: string, more: Attributes = {}): string => element("path", { d, fill, ...more });

/** An open stroke with round ends. */
export const stroke = (d: string, colour: string, width: number, more: Attributes = {}): string =>
  element("path", {
    d,
    fill: "none",
    stroke: colour,
    "stroke-width": width,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    ...more,
  });

/** Path data of a closed polygon. */
export const polygon = (...points: readonly (readonly [number, number])[]): string =>
  `M${points.map(([x, y]) => `${short(x)} ${short(y)}`).join("L")}Z`;

export const group = (transform: string, ...content: readonly string[]): string =>
  element("g", { transform }, content.join(""));

/** Content clipped to a shape. `id` must be unique in the picture. */
export const clipped = (id: string, shape: string, ...content: readonly string[]): string =>
  `<clipPath id="${id}">${shape}</clipPath>${element("g", { "clip-path": `url(#${id})` }, content.join(""))}`;

/** A rectangle with a vertical colour gradient. */
export function gradient(
  id: string,
  x: number,
  y: number,
  width: number,
  height: number,
  ...colours: readonly string[]
): string {
  const stops = colours.map((colour, i) =>
    element("stop", { offset: colours.length === 1 ? 0 : i / (colours.length - 1), "stop-color": colour }),
  );
  return (
    `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${stops.join("")}</linearGradient>` +
    rect(x, y, width, height, `url(#${id})`)
  );
}
