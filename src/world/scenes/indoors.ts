/** Scenes indoors, on surfaces and in a dream. */
import { circle, ellipse, group, path, polygon, rect, stroke } from "../svg.ts";
import { boards, flat, scattered, sky } from "./parts.ts";
import type { Scene } from "./scene.ts";

export const indoors: Readonly<Record<string, Scene>> = {
  "pink fabric": {
    prompt: "a {s} on top of pink fabric",
    paraphrases: ["a {s} on pink fabric", "a {s} on a pink cloth", "a {s} lying on pink fabric"],
    draw: (random) => ({
      ground: 106,
      behind:
        rect(0, 0, 128, 128, "#f59ac0") +
        stroke(
          [0, 1, 2, 3, 4]
            .map(
              (i) =>
                `M${-10 + i * 30} ${random.range(-6, 20).toFixed(0)}Q${20 + i * 24} ${40 + i * 6} ${i * 34 - 16} 132`,
            )
            .join(""),
          "#e0709f",
          5,
          { opacity: 0.55 },
        ) +
        stroke(
          [0, 1, 2, 3, 4].map((i) => `M${6 + i * 30} -4Q${34 + i * 24} ${44 + i * 5} ${i * 34} 132`).join(""),
          "#ffc4dc",
          4,
          { opacity: 0.8 },
        ),
    }),
  },
  "wooden floor": {
    prompt: "a {s} on top of a wooden floor",
    paraphrases: ["a {s} on a wooden floor", "a {s} on a floor of wood", "a {s} on wooden boards"],
    draw: (random) => ({
      ground: 106,
      behind:
        rect(0, 0, 128, 64, random.pick(["#f1e4d0", "#e2e8e0", "#e9dcd6"])) +
        rect(0, 60, 128, 6, "#ffffff") +
        boards(66, "#b57a45", "#8a5529"),
    }),
  },
  cinema: {
    prompt: "a {s} in a movie theater",
    paraphrases: [
      "a {s} in a cinema",
      "a {s} in a dark movie theater",
      "a {s} in front of the screen of a movie theater",
    ],
    draw: (random) => ({
      ground: 108,
      behind:
        rect(0, 0, 128, 128, "#1b1420") +
        rect(22, 8, 84, 46, "#eef3f6") +
        path(polygon([22, 54], [106, 54], [124, 100], [4, 100]), "#eef3f6", { opacity: 0.13 }) +
        circle(random.range(44, 84), 30, 9, random.pick(["#f2c230", "#e86a5a", "#5aa0e0"])) +
        rect(0, 0, 18, 92, "#a3202f") +
        rect(110, 0, 18, 92, "#a3202f") +
        stroke("M5 0L5 92M12 0L12 92M116 0L116 92M123 0L123 92", "#6f1220", 2) +
        [0, 1, 2, 3, 4, 5].map((i) => rect(i * 22 - 2, 72, 19, 26, "#c8303f", { rx: 5 })).join("") +
        flat(94, "#3a1a22"),
    }),
  },
  "living room": {
    prompt: "a {s} in a luxurious interior living room",
    paraphrases: [
      "a {s} in a luxurious living room",
      "a {s} in an elegant living room",
      "a {s} in the living room of a luxurious house",
    ],
    draw: (random) => ({
      ground: 110,
      behind:
        rect(0, 0, 128, 94, "#efe2c4") +
        stroke("M12 0L12 84M116 0L116 84M34 0L34 84M94 0L94 84", "#d9c08a", 1.4) +
        rect(44, 10, 40, 28, "#d4a94c") +
        rect(47, 13, 34, 22, random.pick(["#6a97b8", "#8fb08a", "#b88a8a"])) +
        stroke("M64 0L64 4M52 6Q64 12 76 6", "#c99a2e", 1.6) +
        [52, 58, 64, 70, 76].map((x) => circle(x, 7, 1.9, "#fff3b8")).join("") +
        rect(8, 58, 112, 30, "#7a2f45", { rx: 7 }) +
        rect(4, 66, 14, 28, "#8d3a52", { rx: 5 }) +
        rect(110, 66, 14, 28, "#8d3a52", { rx: 5 }) +
        rect(18, 76, 92, 14, "#9c4560", { rx: 4 }) +
        flat(92, "#a9784a") +
        ellipse(64, 111, 56, 12, "#e6d3b0") +
        ellipse(64, 111, 48, 9, "none", { stroke: "#c9a24e", "stroke-width": 1.5 }),
    }),
  },
  galaxy: {
    prompt: "a {s} in a dream of a distant galaxy",
    paraphrases: [
      "a {s} in a distant galaxy",
      "a {s} dreaming in a distant galaxy",
      "a {s} among the stars of a distant galaxy",
    ],
    draw: (random) => ({
      ground: 104,
      shadow: false,
      behind:
        sky("g", "#150f38", "#432277", "#7a2f8f") +
        group(
          `translate(64 50) rotate(${random.range(-35, 35).toFixed(0)})`,
          ellipse(0, 0, 58, 17, "#e07ae8", { opacity: 0.4 }),
          ellipse(0, 0, 40, 10, "#ffb0e0", { opacity: 0.5 }),
          ellipse(0, 0, 18, 6, "#fff2d8", { opacity: 0.85 }),
        ) +
        scattered(54, random, (x, y) =>
          circle(x, y, random.range(0.4, 1.3), random.pick(["#ffffff", "#ffe9a8", "#b8e0ff"])),
        ) +
        circle(random.range(14, 30), 96, 9, "#5ad0d8") +
        ellipse(22, 97, 15, 3, "none", { stroke: "#bff2f0", "stroke-width": 1.4 }) +
        circle(112, random.range(14, 30), 6, "#ff9a6a"),
      before: ellipse(64, 110, 40, 7, "#d8a0ff", { opacity: 0.35 }),
    }),
  },
};

export const indoorThings: Readonly<Record<string, Scene>> = {
  mirror: {
    prompt: "a {s} on top of a mirror",
    paraphrases: ["a {s} on a mirror", "a {s} standing on a mirror", "a {s} on top of a shiny mirror"],
    draw: (random) => ({
      ground: 92,
      scale: 0.86,
      shadow: false,
      mirrored: 0.5,
      behind:
        rect(0, 0, 128, 128, random.pick(["#d9cfe0", "#cfdbe0", "#e0d8cc"])) +
        ellipse(64, 100, 58, 24, "#b08d3f") +
        ellipse(64, 100, 54, 21, "#d5ecf4") +
        stroke("M26 96L44 86M34 106L58 92M84 112L104 99", "#ffffff", 2, { opacity: 0.7 }),
    }),
  },
  "white rug": {
    prompt: "a {s} on top of a white rug",
    paraphrases: ["a {s} on a white rug", "a {s} on a soft white rug", "a {s} sitting on a white rug"],
    draw: (random) => ({
      ground: 106,
      behind:
        rect(0, 0, 128, 70, random.pick(["#9fb4a6", "#b79f94", "#8fa3b8"])) +
        boards(70, "#8f6a48", "#6f4f33") +
        ellipse(64, 106, 58, 17, "#ffffff") +
        Array.from({ length: 40 }, (_, i) =>
          ellipse(64 + 58 * Math.cos((i * Math.PI) / 20), 106 + 17 * Math.sin((i * Math.PI) / 20), 3, 2, "#ffffff"),
        ).join("") +
        scattered(
          22,
          random,
          (x, y) =>
            Math.hypot((x - 64) / 54, (y - 106) / 14) < 1
              ? stroke(`M${x} ${y}L${x + 1.5} ${y + 2}`, "#dcdcdc", 0.9)
              : "",
          92,
          120,
        ),
    }),
  },
};

/** Places for reference pictures: everyday ones that no prompt names. */
export const everyday: readonly Scene["draw"][] = [
  (random) => ({
    ground: 106,
    behind:
      rect(0, 0, 128, 128, random.pick(["#dfe7ec", "#efe3d6", "#dcebdc", "#ece0ee", "#f3ead0"])) +
      ellipse(64, 110, 80, 22, "#ffffff", { opacity: 0.5 }),
  }),
  (random) => ({
    ground: 106,
    behind:
      rect(0, 0, 128, 78, random.pick(["#cfe0d8", "#e6d5c8", "#c9d6e6"])) +
      rect(random.range(10, 84), 12, 30, 36, "#eaf6fd", { stroke: "#ffffff", "stroke-width": 3 }) +
      flat(78, random.pick(["#c7b299", "#a8b3ba", "#b9a3a0"])),
  }),
  (random) => ({
    ground: 108,
    behind:
      sky("ev", "#bfe2f4", "#eaf6ee") +
      flat(78, "#9ecb78") +
      rect(0, 62, 128, 18, "#f4efe6") +
      stroke(Array.from({ length: 11 }, (_, i) => `M${4 + i * 12} 56L${4 + i * 12} 84`).join(""), "#f4efe6", 5) +
      circle(random.range(8, 120), 96, 3, "#f27fa0") +
      circle(random.range(8, 120), 116, 3, "#fff0a0"),
  }),
  (random) => ({
    ground: 104,
    behind:
      rect(0, 0, 128, 86, "#f0e9dd") +
      rect(0, 30, 128, 3, "#b58a5c") +
      [12, 24, 33, 48, 86, 96, 110]
        .map((x) =>
          rect(x, random.range(10, 16), 8, 30 - 12, random.pick(["#c95f50", "#5a86b0", "#78a06a", "#d9b25a"])),
        )
        .join("") +
      flat(84, "#d9c3a0"),
  }),
  (random) => ({
    ground: 108,
    behind:
      rect(0, 0, 128, 84, "#dce8ea") +
      stroke(
        Array.from({ length: 8 }, (_, i) => `M${i * 17} 0L${i * 17} 84M0 ${i * 13}L128 ${i * 13}`).join(""),
        "#c3d3d6",
        1,
      ) +
      flat(84, random.pick(["#8fa0a6", "#c2a98c"])) +
      rect(random.range(6, 90), 52, 26, 32, "#f2f2f0", { rx: 2 }),
  }),
  (random) => ({
    ground: 110,
    behind:
      rect(0, 0, 128, 102, "#e9dfe9") +
      rect(6, 44, 116, 44, random.pick(["#6f8fae", "#8a9c74", "#b57f6a"]), { rx: 9 }) +
      rect(14, 64, 100, 36, random.pick(["#86a5c2", "#9db088", "#c9937e"]), { rx: 7 }) +
      flat(100, "#bfa98f"),
  }),
];
