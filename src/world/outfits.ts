/** The outfits of the evaluation prompts for live subjects. Drawn from the anchors, so that they fit every animal and pose. */

import type { Anchors } from "./subjects/index.ts";
import { circle, clipped, ellipse, path, polygon, rect, stroke } from "./svg.ts";

export interface Clothes {
  /** Over the body, under the head. */
  readonly body?: string;
  /** Over the head. */
  readonly head?: string;
}

export interface Outfit {
  readonly prompt: string;
  readonly paraphrases: readonly string[];
  readonly wear: (anchors: Anchors, id: string) => Clothes;
}

/** A garment on the torso, with a hem and sleeves' shade. */
const garment = (
  { torso: { x, y, rx, ry } }: Anchors,
  id: string,
  fill: string,
  edge: string,
  ...more: readonly string[]
): string =>
  clipped(
    `${id}g`,
    ellipse(x, y, rx + 1.4, ry + 1.4, fill),
    rect(x - rx - 3, y - ry - 3, 2 * rx + 6, 1.72 * ry + 3, fill),
    ...more,
  ) +
  stroke(`M${x - rx * 0.86} ${y + ry * 0.66}Q${x} ${y + ry * 0.8} ${x + rx * 0.86} ${y + ry * 0.66}`, edge, 1.2) +
  ellipse(x, y, rx + 1.4, ry + 1.4, "none", { stroke: edge, "stroke-width": 1.1, opacity: 0.6 });

const brim = ({ head: { x, y, rx, ry } }: Anchors, wide: number, fill: string, edge: string): string =>
  ellipse(x, y - ry * 0.72, rx * wide, 3.4, fill, { stroke: edge, "stroke-width": 1.1 });

const glass = (x: number, y: number, r: number, fill: string, rim: string): string =>
  circle(x, y, r, fill, { stroke: rim, "stroke-width": 1.8, "fill-opacity": 0.55 });

export const outfits: Readonly<Record<string, Outfit>> = {
  "red hat": {
    prompt: "a {s} wearing a red hat",
    paraphrases: ["a {s} in a red hat", "a {s} with a red hat on its head", "a {s} that wears a red hat"],
    wear: (a) => {
      const { x, y, rx, ry } = a.head;
      return {
        head:
          path(
            `M${x - rx * 0.72} ${y - ry * 0.74}Q${x - rx * 0.6} ${y - ry - 13} ${x} ${y - ry - 13}Q${x + rx * 0.6} ${y - ry - 13} ${x + rx * 0.72} ${y - ry * 0.74}Z`,
            "#dc2a2a",
            { stroke: "#6e1010", "stroke-width": 1.2 },
          ) +
          rect(x - rx * 0.7, y - ry * 0.74 - 5, rx * 1.4, 3.4, "#8e1515") +
          brim(a, 1.15, "#dc2a2a", "#6e1010"),
      };
    },
  },
  "santa hat": {
    prompt: "a {s} wearing a santa hat",
    paraphrases: ["a {s} in a santa hat", "a {s} with a santa hat on its head", "a {s} that wears a santa hat"],
    wear: ({ head: { x, y, rx, ry } }) => ({
      head:
        path(
          `M${x - rx * 0.78} ${y - ry * 0.72}Q${x - 4} ${y - ry - 22} ${x + rx * 0.9} ${y - ry - 10}L${x + rx + 3} ${y - ry + 1}Q${x + rx * 0.7} ${y - ry - 4} ${x + rx * 0.74} ${y - ry * 0.72}Z`,
          "#d8232f",
          { stroke: "#6e1018", "stroke-width": 1.2, "stroke-linejoin": "round" },
        ) +
        rect(x - rx * 0.92, y - ry * 0.72 - 3.4, rx * 1.84, 6.4, "#ffffff", {
          rx: 3.2,
          stroke: "#b9b9c4",
          "stroke-width": 0.8,
        }) +
        circle(x + rx + 3, y - ry + 2, 4.2, "#ffffff", { stroke: "#b9b9c4", "stroke-width": 0.8 }),
    }),
  },
  "rainbow scarf": {
    prompt: "a {s} wearing a rainbow scarf",
    paraphrases: [
      "a {s} in a rainbow scarf",
      "a {s} with a rainbow scarf around its neck",
      "a {s} that wears a rainbow scarf",
    ],
    wear: ({ head: { x, y, rx, ry } }) => {
      const bands = ["#e8423f", "#f59a2e", "#f7de3f", "#4fb05a", "#3f82d8", "#8a4fc0"];
      const round = bands
        .map((fill, i) =>
          stroke(
            `M${x - rx * 0.72} ${y + ry * 0.72 + i * 1.25}Q${x} ${y + ry + 4 + i * 1.25} ${x + rx * 0.72} ${y + ry * 0.72 + i * 1.25}`,
            fill,
            1.7,
          ),
        )
        .join("");
      const end = bands.map((fill, i) => rect(x + rx * 0.2, y + ry + 2 + i * 3, 6.4, 3.1, fill)).join("");
      return { head: end + round };
    },
  },
  "top hat": {
    prompt: "a {s} wearing a black top hat and a monocle",
    paraphrases: [
      "a {s} in a black top hat with a monocle",
      "a {s} with a top hat and a monocle",
      "a {s} that wears a black top hat and a monocle",
    ],
    wear: (a) => {
      const { x, y, rx, ry } = a.head;
      return {
        head:
          rect(x - rx * 0.58, y - ry - 17, rx * 1.16, 19, "#1c1b22", { stroke: "#000000", "stroke-width": 1 }) +
          rect(x - rx * 0.58, y - ry - 3.6, rx * 1.16, 4, "#8c2436") +
          brim(a, 1.02, "#1c1b22", "#000000") +
          circle(x + rx * 0.4, y - 1.6, 5, "#dff2fb", {
            stroke: "#d4a017",
            "stroke-width": 1.5,
            "fill-opacity": 0.35,
          }) +
          stroke(
            `M${x + rx * 0.4 + 4} ${y + 2}Q${x + rx * 0.8} ${y + ry} ${x + rx * 0.5} ${y + ry + 6}`,
            "#d4a017",
            0.9,
          ),
      };
    },
  },
  chef: {
    prompt: "a {s} in a chef outfit",
    paraphrases: ["a {s} dressed as a chef", "a {s} wearing a chef outfit", "a {s} in the clothes of a chef"],
    wear: (a, id) => {
      const {
        head: { x, y, rx, ry },
        torso: t,
      } = a;
      const buttons = [-0.35, 0, 0.35]
        .map((v) => [-3, 3].map((dx) => circle(t.x + dx, t.y + v * t.ry, 1, "#2b2b33")).join(""))
        .join("");
      return {
        body: garment(a, id, "#ffffff", "#a9b0ba", buttons),
        head:
          [-0.5, 0, 0.5]
            .map((u) => circle(x + u * rx, y - ry - 9, 7, "#ffffff", { stroke: "#b4bac4", "stroke-width": 1 }))
            .join("") +
          rect(x - rx * 0.66, y - ry - 7, rx * 1.32, 10, "#ffffff", { stroke: "#b4bac4", "stroke-width": 1 }) +
          rect(x - rx * 0.6, y - ry - 9, rx * 1.2, 6, "#ffffff") +
          stroke(`M${x - 8} ${y + ry}Q${x} ${y + ry + 5} ${x + 8} ${y + ry}`, "#d8343f", 3),
      };
    },
  },
  firefighter: {
    prompt: "a {s} in a firefighter outfit",
    paraphrases: [
      "a {s} dressed as a firefighter",
      "a {s} wearing a firefighter outfit",
      "a {s} in the clothes of a firefighter",
    ],
    wear: (a, id) => {
      const {
        head: { x, y, rx, ry },
        torso: t,
      } = a;
      return {
        body: garment(
          a,
          id,
          "#39362f",
          "#15130f",
          rect(t.x - t.rx - 3, t.y - 2, t.rx * 2 + 6, 4.4, "#f2d42e"),
          rect(t.x - t.rx - 3, t.y - 0.6, t.rx * 2 + 6, 1.5, "#e6e6e6"),
          rect(t.x - 1, t.y - t.ry, 2, t.ry * 2, "#f2d42e"),
        ),
        head:
          path(
            `M${x - rx * 0.8} ${y - ry * 0.66}Q${x - rx * 0.8} ${y - ry - 11} ${x} ${y - ry - 11}Q${x + rx * 0.8} ${y - ry - 11} ${x + rx * 0.8} ${y - ry * 0.66}Z`,
            "#d42a22",
            { stroke: "#6e120d", "stroke-width": 1.2 },
          ) +
          rect(x - 1.4, y - ry - 12, 2.8, 12, "#f2d42e") +
          brim(a, 1.22, "#b51f18", "#6e120d") +
          path(
            polygon(
              [x - 4, y - ry - 5],
              [x + 4, y - ry - 5],
              [x + 3, y - ry + 2],
              [x, y - ry + 4],
              [x - 3, y - ry + 2],
            ),
            "#f2d42e",
            { stroke: "#8a6a12", "stroke-width": 0.7 },
          ),
      };
    },
  },
  police: {
    prompt: "a {s} in a police outfit",
    paraphrases: [
      "a {s} dressed as a police officer",
      "a {s} wearing a police outfit",
      "a {s} in the clothes of the police",
    ],
    wear: (a, id) => {
      const {
        head: { x, y, rx, ry },
        torso: t,
      } = a;
      return {
        body: garment(
          a,
          id,
          "#24407c",
          "#10203f",
          rect(t.x - t.rx - 3, t.y + t.ry * 0.42, t.rx * 2 + 6, 3, "#16161c"),
          circle(t.x + t.rx * 0.42, t.y - t.ry * 0.3, 2.4, "#f2c93a"),
          path(polygon([t.x - 2, t.y - t.ry], [t.x + 2, t.y - t.ry], [t.x, t.y + 3]), "#10182e"),
        ),
        head:
          path(
            `M${x - rx * 0.95} ${y - ry - 5}Q${x} ${y - ry - 17} ${x + rx * 0.95} ${y - ry - 5}L${x + rx * 0.7} ${y - ry * 0.74}L${x - rx * 0.7} ${y - ry * 0.74}Z`,
            "#24407c",
            { stroke: "#10203f", "stroke-width": 1.2 },
          ) +
          path(
            `M${x - rx * 0.7} ${y - ry * 0.72}Q${x} ${y - ry * 0.4} ${x + rx * 0.7} ${y - ry * 0.72}L${x + rx * 0.72} ${y - ry * 0.9}L${x - rx * 0.72} ${y - ry * 0.9}Z`,
            "#16161c",
          ) +
          circle(x, y - ry - 6, 3, "#f2c93a", { stroke: "#8a6a12", "stroke-width": 0.7 }),
      };
    },
  },
  "pink glasses": {
    prompt: "a {s} wearing pink glasses",
    paraphrases: ["a {s} in pink glasses", "a {s} with pink glasses on", "a {s} that wears pink glasses"],
    wear: ({ head: { x, y, rx } }) => ({
      head:
        [-1, 1]
          .map(
            (s) =>
              glass(x + s * rx * 0.41, y - 1.4, 5.6, "#ffb8da", "#f03f96") +
              stroke(`M${x + s * (rx * 0.41 + 5.6)} ${y - 2}L${x + s * rx * 0.98} ${y - 4}`, "#f03f96", 1.5),
          )
          .join("") + stroke(`M${x - 1.4} ${y - 2}Q${x} ${y - 4} ${x + 1.4} ${y - 2}`, "#f03f96", 1.6),
    }),
  },
  "yellow shirt": {
    prompt: "a {s} wearing a yellow shirt",
    paraphrases: ["a {s} in a yellow shirt", "a {s} with a yellow shirt on", "a {s} that wears a yellow shirt"],
    wear: (a, id) => ({
      body: garment(
        a,
        id,
        "#fbd52b",
        "#a07c08",
        stroke(`M${a.torso.x} ${a.torso.y - a.torso.ry}L${a.torso.x} ${a.torso.y + a.torso.ry * 0.6}`, "#c9a212", 0.9),
      ),
    }),
  },
  wizard: {
    prompt: "a {s} in a purple wizard outfit",
    paraphrases: [
      "a {s} dressed as a wizard in purple",
      "a {s} wearing a purple wizard outfit",
      "a {s} in the purple clothes of a wizard",
    ],
    wear: (a, id) => {
      const {
        head: { x, y, rx, ry },
        torso: t,
      } = a;
      const stars = [
        [-0.4, -0.3],
        [0.35, 0],
        [-0.1, 0.4],
      ]
        .map(([u, v]) => circle(t.x + u! * t.rx, t.y + v! * t.ry, 1.3, "#f7d94a"))
        .join("");
      return {
        body: garment(a, id, "#6a2fa8", "#2f1352", stars),
        head:
          path(
            `M${x - rx * 0.72} ${y - ry * 0.74}L${x + 3} ${y - ry - 25}L${x + rx * 0.72} ${y - ry * 0.74}Z`,
            "#6a2fa8",
            { stroke: "#2f1352", "stroke-width": 1.2, "stroke-linejoin": "round" },
          ) +
          circle(x - 3, y - ry - 3, 1.5, "#f7d94a") +
          circle(x + 3, y - ry - 9, 1.2, "#f7d94a") +
          circle(x + 2, y - ry - 16, 0.9, "#f7d94a") +
          brim(a, 1.3, "#6a2fa8", "#2f1352"),
      };
    },
  },
};
