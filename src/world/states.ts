/** The states of the evaluation prompts: the subject in one colour, shiny or wet. */
import { type Colour, colour, darker } from "./colour.ts";
import type { Random } from "./random.ts";
import type { Figure } from "./subjects/index.ts";
import { ellipse, path, polygon } from "./svg.ts";

export interface State {
  readonly prompt: string;
  readonly paraphrases: readonly string[];
  readonly paint: (colour: Colour) => Colour;
  /** Drawn over the subject, in its own units. */
  readonly over: (figure: Figure, random: Random) => string;
}

/** The same lightness in another hue, so that markings stay visible. */
const dyed =
  (h: number, s: number) =>
  (c: Colour): Colour =>
    colour(h, s, 0.2 + 0.55 * c.l);

const none = () => "";

const sparkle = (x: number, y: number, r: number): string =>
  path(
    polygon(
      [x, y - r],
      [x + r * 0.2, y - r * 0.2],
      [x + r, y],
      [x + r * 0.2, y + r * 0.2],
      [x, y + r],
      [x - r * 0.2, y + r * 0.2],
      [x - r, y],
      [x - r * 0.2, y - r * 0.2],
    ),
    "#ffffff",
    { stroke: "#fff3a8", "stroke-width": 0.5 },
  );

export const states: Readonly<Record<string, State>> = {
  red: {
    prompt: "a red {s}",
    paraphrases: ["a {s} that is red", "a {s} all in red", "a bright red {s}"],
    paint: dyed(2, 0.78),
    over: none,
  },
  purple: {
    prompt: "a purple {s}",
    paraphrases: ["a {s} that is purple", "a {s} all in purple", "a bright purple {s}"],
    paint: dyed(280, 0.6),
    over: none,
  },
  shiny: {
    prompt: "a shiny {s}",
    paraphrases: ["a {s} that is shiny", "a {s} that shines", "a very shiny {s}"],
    paint: (c) => colour(c.h, Math.min(1, c.s * 1.15), c.l * 0.92 + 0.06),
    over: ({ reach }, random) =>
      [-0.55, 0.1, 0.6]
        .map((u, i) =>
          ellipse(u * reach, -14 - 15 * i, 2.2, 6, "#ffffff", {
            opacity: 0.6,
            transform: `rotate(24 ${u * reach} ${-14 - 15 * i})`,
          }),
        )
        .join("") +
      Array.from({ length: 6 }, () =>
        sparkle(random.range(-reach - 6, reach + 6), random.range(-62, -4), random.range(3, 6)),
      ).join(""),
  },
  wet: {
    prompt: "a wet {s}",
    paraphrases: ["a {s} that is wet", "a {s} dripping with water", "a {s} all wet"],
    paint: (c) => darker(colour(c.h, c.s * 0.9, c.l), 0.09 * c.l),
    over: ({ reach }, random) =>
      ellipse(0, 1, reach + 12, 4, "#6fc2ee", { opacity: 0.75 }) +
      Array.from({ length: 15 }, () => {
        const [x, y, r] = [random.range(-reach - 4, reach + 4), random.range(-60, -4), random.range(1.3, 2.5)];
        return path(
          `M${x.toFixed(1)} ${(y - 2.6 * r).toFixed(1)}Q${(x + 1.5 * r).toFixed(1)} ${y.toFixed(1)} ${x.toFixed(1)} ${(y + r).toFixed(1)}Q${(x - 1.5 * r).toFixed(1)} ${y.toFixed(1)} ${x.toFixed(1)} ${(y - 2.6 * r).toFixed(1)}Z`,
          "#8fd4f7",
          { stroke: "#2f86bd", "stroke-width": 0.6 },
        );
      }).join(""),
  },
};
