/** Outdoor scenes, for every subject. */
import { circle, ellipse, group, path, polygon, rect, stroke } from "../svg.ts";
import { buildings, cloud, fir, flat, hills, scattered, sky, sun, tree } from "./parts.ts";
import type { Scene } from "./scene.ts";

export const outdoors: Readonly<Record<string, Scene>> = {
  jungle: {
    prompt: "a {s} in the jungle",
    paraphrases: ["a {s} in a jungle", "a {s} among the plants of the jungle", "a {s} in the green jungle"],
    draw: (random) => ({
      ground: 106,
      behind:
        sky("j", "#2f7a4f", "#8fc46a") +
        scattered(5, random, (x) => rect(x, 0, random.range(4, 8), 106, "#4a3b26", { opacity: 0.75 })) +
        scattered(
          12,
          random,
          (x, y) =>
            leaf(x, y, random.range(0.8, 1.5), random.range(-60, 60), random.pick(["#1f5e36", "#2f8a45", "#4fa84a"])),
          0,
          60,
        ) +
        flat(96, "#2c6a34") +
        hills(98, 4, "#3a7f3b", random) +
        stroke("M18 0Q26 30 20 52M104 0Q96 24 106 44", "#2a5a2a", 2),
      before: scattered(
        7,
        random,
        (x) => leaf(x, 128, random.range(0.9, 1.4), random.range(-40, 40), random.pick(["#1c5230", "#2a7a3c"])),
        126,
        128,
      ),
    }),
  },
  snow: {
    prompt: "a {s} in the snow",
    paraphrases: ["a {s} in deep snow", "a {s} in a snowy landscape", "a {s} on a snowy day"],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("s", "#b9d5ee", "#e9f3fb") +
        scattered(5, random, (x) => fir(x, random.range(88, 94), random.range(0.9, 1.6), "#5f8f86"), 0, 1) +
        hills(90, 5, "#ffffff", random) +
        hills(100, 4, "#eef5fb", random),
      before:
        scattered(26, random, (x, y) => circle(x, y, random.range(0.7, 1.7), "#ffffff"), 0, 120) +
        ellipse(64, 112, 34, 4, "#ffffff"),
    }),
  },
  beach: {
    prompt: "a {s} on the beach",
    paraphrases: ["a {s} on a beach", "a {s} on a sandy beach", "a {s} at the beach by the sea"],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("b", "#7cc7ef", "#d8f0fa") +
        sun(random.range(20, 108), 20, 8, "#ffe27a") +
        cloud(random.range(20, 100), 26, 0.9) +
        rect(0, 58, 128, 26, "#2f9fc7") +
        stroke(
          "M0 66Q8 63 16 66T32 66T48 66T64 66T80 66T96 66T112 66T128 66M0 74Q8 71 16 74T32 74T48 74T64 74T80 74T96 74T112 74T128 74",
          "#bfeaf5",
          1.2,
        ) +
        path("M0 82Q32 77 64 82T128 80L128 128L0 128Z", "#f2dca2") +
        stroke("M0 82Q32 77 64 82T128 80", "#ffffff", 2.5) +
        (random.chance(0.6) ? palm(random.pick([14, 112])) : circle(106, 112, 6, "#f0605a")),
      before: scattered(
        4,
        random,
        (x, y) => ellipse(x, y, 2.2, 1.3, random.pick(["#e8a27c", "#ffffff", "#d98b6a"])),
        116,
        126,
      ),
    }),
  },
  cobblestone: {
    prompt: "a {s} on a cobblestone street",
    paraphrases: ["a {s} on cobblestones", "a {s} on an old cobblestone street", "a {s} on a street of cobblestones"],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("c", "#cfd9df", "#f1ead9") +
        [0, 1, 2, 3]
          .map(
            (i) =>
              rect(i * 32, random.range(8, 24), 31, 80, random.pick(["#d9a878", "#c98f73", "#e3c79a", "#b9a08e"])) +
              rect(i * 32 + 6, 34, 7, 10, "#6f8696") +
              rect(i * 32 + 19, 34, 7, 10, "#6f8696") +
              rect(i * 32 + 11, 58, 9, 18, "#6b4a36"),
          )
          .join("") +
        flat(76, "#8d8a88") +
        Array.from({ length: 6 }, (_, row) =>
          Array.from({ length: 12 }, (_, k) =>
            ellipse(
              k * 12 + (row % 2) * 6,
              79 + row * 9.5,
              5.4,
              3.6 + row * 0.25,
              random.pick(["#a9a5a1", "#9a9692", "#b8b3ad"]),
            ),
          ).join(""),
        ).join(""),
    }),
  },
  city: {
    prompt: "a {s} with a city in the background",
    paraphrases: ["a {s} in front of a city", "a {s} with a city behind it", "a {s} before the buildings of a city"],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("ci", "#9fc9ea", "#eaf4f7") +
        cloud(30, 18, 0.8) +
        buildings(86, 9, [22, 58], ["#8796ab", "#a3aebd", "#73839b", "#b6a99a"], "#fdf3c8", random) +
        flat(85, "#9bbf73") +
        rect(0, 96, 128, 32, "#a8aab0"),
    }),
  },
  mountain: {
    prompt: "a {s} with a mountain in the background",
    paraphrases: ["a {s} in front of a mountain", "a {s} with mountains behind it", "a {s} before a high mountain"],
    draw: (random) => {
      const peak = random.range(46, 82);
      return {
        ground: 108,
        behind:
          sky("m", "#8cc4ee", "#e6f3f9") +
          cloud(random.range(10, 110), 20, 0.8) +
          path(polygon([-10, 92], [peak - 44, 52], [peak - 26, 62], [peak + 58, 92]), "#8aa0b4") +
          path(polygon([peak - 52, 92], [peak, 14], [peak + 52, 92]), "#6f859b") +
          path(
            polygon([peak - 17, 40], [peak, 14], [peak + 17, 40], [peak + 8, 36], [peak + 1, 43], [peak - 8, 36]),
            "#ffffff",
          ) +
          hills(88, 4, "#7fb069", random) +
          hills(100, 3, "#8fc077", random),
      };
    },
  },
  "blue house": {
    prompt: "a {s} with a blue house in the background",
    paraphrases: ["a {s} in front of a blue house", "a {s} with a blue house behind it", "a {s} before a blue house"],
    draw: (random) => {
      const x = random.range(34, 58);
      return {
        ground: 110,
        behind:
          sky("bh", "#bfe0f5", "#f3f8ee") +
          cloud(108, 16, 0.8) +
          rect(x, 40, 58, 52, "#3f7fd0") +
          path(polygon([x - 6, 42], [x + 29, 14], [x + 64, 42]), "#8a4b3a") +
          rect(x + 40, 18, 8, 14, "#a35a48") +
          rect(x + 6, 50, 15, 14, "#fff4c4", { stroke: "#ffffff", "stroke-width": 2 }) +
          rect(x + 37, 50, 15, 14, "#fff4c4", { stroke: "#ffffff", "stroke-width": 2 }) +
          rect(x + 23, 68, 12, 24, "#ffffff") +
          flat(90, "#86bd62") +
          hills(100, 3, "#94c96e", random) +
          tree(random.pick([12, 118]), 94, 1, "#5aa04d", "#78bb61"),
      };
    },
  },
  "rug in a forest": {
    prompt: "a {s} on top of a purple rug in a forest",
    paraphrases: [
      "a {s} on a purple rug in a forest",
      "a {s} on a purple rug in the woods",
      "a {s} sitting on a purple rug in a forest",
    ],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("rf", "#c4e2b2", "#7fae6a") +
        Array.from({ length: 7 }, (_, i) =>
          rect(i * 19 + random.range(0, 8), 0, random.range(5, 8), 92, random.pick(["#6a4c33", "#7a5a3e", "#5a402b"])),
        ).join("") +
        scattered(
          9,
          random,
          (x, y) => circle(x, y, random.range(9, 15), random.pick(["#4f8a45", "#3f7a3d", "#67a052"])),
          -4,
          22,
        ) +
        flat(88, "#6d8a45") +
        hills(90, 3, "#7b9850", random) +
        ellipse(64, 110, 54, 13, "#6b2fa0") +
        ellipse(64, 110, 48, 10.5, "#8a46c4") +
        ellipse(64, 110, 36, 7, "#6b2fa0"),
    }),
  },
  "japanese street": {
    prompt: "a {s} with Japanese modern city street in the background",
    paraphrases: [
      "a {s} on a modern Japanese city street",
      "a {s} with a Japanese street behind it",
      "a {s} in front of a modern Japanese street",
    ],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("js", "#f4b8c8", "#fbe6d2") +
        rect(0, 6, 36, 86, "#5b5f78") +
        rect(92, 0, 36, 92, "#6a5873") +
        rect(36, 26, 18, 66, "#8b8fa6") +
        rect(76, 20, 16, 72, "#7d86a3") +
        (
          [
            [4, 14, "#e8433f"],
            [22, 26, "#f2c230"],
            [96, 10, "#2fb3a8"],
            [113, 30, "#e8433f"],
            [40, 38, "#ff7bb0"],
          ] as const
        )
          .map(
            ([x, y, fill]) =>
              rect(x, y, 10, 30, fill, { rx: 1 }) +
              stroke(
                [5, 12, 19]
                  .map((v) => `M${x + 3} ${y + v}L${x + 7} ${y + v}M${x + 5} ${y + v - 2}L${x + 5} ${y + v + 3}`)
                  .join(""),
                "#ffffff",
                1.2,
              ),
          )
          .join("") +
        scattered(4, random, (x) => circle(x, 60, 4.4, "#f0443a", { stroke: "#7a1d1d", "stroke-width": 0.7 }), 0, 1) +
        stroke("M0 54Q64 62 128 54", "#3a3440", 0.8) +
        path("M0 92L128 92L128 128L0 128Z", "#6f6f7c") +
        Array.from({ length: 6 }, (_, i) => rect(i * 22 + 2, 94, 11, 6, "#f3f3f3")).join(""),
    }),
  },
  moon: {
    prompt: "a {s} with a landscape from the Moon",
    paraphrases: ["a {s} on the Moon", "a {s} in a landscape of the Moon", "a {s} on the surface of the Moon"],
    draw: (random) => ({
      ground: 108,
      behind:
        rect(0, 0, 128, 128, "#0d1020") +
        scattered(36, random, (x, y) => circle(x, y, random.range(0.3, 0.9), "#ffffff"), 0, 84) +
        earth(random.range(22, 106), random.range(18, 34)) +
        hills(86, 6, "#8d8f96", random) +
        flat(94, "#a4a6ad") +
        scattered(
          7,
          random,
          (x, y) =>
            ellipse(x, y, random.range(5, 11), random.range(1.6, 3), "#7d7f87") +
            ellipse(x, y - 0.7, 6, 1.2, "#b9bbc2", { opacity: 0.6 }),
          96,
          126,
        ),
    }),
  },
  skyscrapers: {
    prompt: "a {s} among the skyscrapers in New York city",
    paraphrases: [
      "a {s} among skyscrapers in New York",
      "a {s} between the skyscrapers of New York city",
      "a {s} in New York city among tall skyscrapers",
    ],
    draw: (random) => ({
      ground: 110,
      behind:
        sky("sk", "#7fb2dc", "#dcebf3") +
        buildings(104, 5, [60, 96], ["#7c8898", "#94a0ae"], "#dfeef7", random) +
        rect(54, 30, 18, 74, "#9a8f86") +
        rect(58, 20, 10, 12, "#9a8f86") +
        path(polygon([60, 20], [63, 4], [66, 20]), "#8a7f76") +
        buildings(106, 4, [70, 112], ["#56657a", "#637389", "#4a586c"], "#ffe9a8", random).replace(
          /<rect x="(3[0-9]|6[0-9])[^>]*>/g,
          "",
        ) +
        rect(0, 100, 128, 28, "#55585f") +
        rect(6, 106, 15, 7, "#f2c230", { rx: 2 }) +
        circle(10, 113, 2, "#222222") +
        circle(17, 113, 2, "#222222"),
    }),
  },
  sunset: {
    prompt: "a {s} with a beautiful sunset",
    paraphrases: ["a {s} at sunset", "a {s} in front of a beautiful sunset", "a {s} with a sunset behind it"],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("su", "#5b3a86", "#e0567a", "#ff9a4d", "#ffd97a") +
        sun(random.range(30, 98), 74, 15, "#fff0a0") +
        stroke("M4 30L40 30M70 22L122 22M12 46L52 46M84 50L126 50", "#f7a6a0", 2.6, { opacity: 0.7 }) +
        rect(0, 82, 128, 14, "#b5496b") +
        stroke("M44 87L86 87M50 91L78 91", "#ffd97a", 1.4) +
        hills(95, 3, "#5a3350", random),
    }),
  },
};

export const outdoorThings: Readonly<Record<string, Scene>> = {
  wheat: {
    prompt: "a {s} with a wheat field in the background",
    paraphrases: [
      "a {s} in front of a wheat field",
      "a {s} with a field of wheat behind it",
      "a {s} before a golden wheat field",
    ],
    draw: (random) => ({
      ground: 110,
      behind:
        sky("w", "#8ec9ee", "#f7f0d8") +
        sun(100, 22, 8, "#ffe27a") +
        flat(62, "#e0b23e") +
        scattered(
          60,
          random,
          (x, y) => stroke(`M${x} ${y + 9}L${x + 1} ${y}`, "#b98a24", 1) + ellipse(x + 1, y, 1.3, 3.4, "#f3cf63"),
          58,
          94,
        ) +
        flat(102, "#b08d4a"),
    }),
  },
  autumn: {
    prompt: "a {s} with a tree and autumn leaves in the background",
    paraphrases: [
      "a {s} in front of a tree with autumn leaves",
      "a {s} with an autumn tree behind it",
      "a {s} before a tree and fallen autumn leaves",
    ],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("a", "#cfe3ee", "#f6e7cf") +
        flat(88, "#b9a05a") +
        tree(random.pick([26, 100]), 94, 1.9, "#e0702a", "#f2a93b") +
        tree(random.pick([60, 70]), 88, 1, "#c9452c", "#e8863a") +
        scattered(
          34,
          random,
          (x, y) =>
            ellipse(x, y, 2.2, 1.2, random.pick(["#e0702a", "#c9452c", "#f2b33b", "#a8571f"]), {
              transform: `rotate(${random.range(0, 180).toFixed(0)} ${x.toFixed(1)} ${y.toFixed(1)})`,
            }),
          40,
          126,
        ),
    }),
  },
  eiffel: {
    prompt: "a {s} with the Eiffel Tower in the background",
    paraphrases: [
      "a {s} in front of the Eiffel Tower",
      "a {s} with the Eiffel Tower behind it",
      "a {s} before the Eiffel Tower in Paris",
    ],
    draw: (random) => {
      const x = random.range(34, 94);
      const iron = "#7a6450";
      return {
        ground: 110,
        behind:
          sky("e", "#a9d2ee", "#f4f1e4") +
          cloud(random.range(10, 118), 18, 0.8) +
          path(
            `M${x - 24} 92Q${x - 5} 60 ${x - 2} 8L${x + 2} 8Q${x + 5} 60 ${x + 24} 92L${x + 14} 92Q${x} 66 ${x - 14} 92Z`,
            iron,
          ) +
          rect(x - 12, 62, 24, 4, iron) +
          rect(x - 7, 40, 14, 3.4, iron) +
          stroke(
            `M${x - 8} 62L${x + 4} 43M${x + 8} 62L${x - 4} 43M${x - 16} 82L${x - 6} 66M${x + 16} 82L${x + 6} 66`,
            "#f4f1e4",
            1,
          ) +
          stroke(`M${x} 8L${x} 2`, iron, 1.4) +
          flat(90, "#7fb566") +
          hills(96, 2, "#8fc476", random),
      };
    },
  },
  water: {
    prompt: "a {s} floating on top of water",
    paraphrases: ["a {s} floating on water", "a {s} floating on the water of a lake", "a {s} swimming on top of water"],
    draw: (random) => ({
      ground: 104,
      shadow: false,
      behind:
        sky("wa", "#aadcf2", "#e9f7fa") +
        hills(58, 4, "#7fb58a", random) +
        flat(62, "#3f9fd0") +
        waves(70, "#8fd0ec") +
        waves(82, "#8fd0ec") +
        waves(94, "#8fd0ec"),
      before:
        path("M0 100Q8 96 16 100T32 100T48 100T64 100T80 100T96 100T112 100T128 100L128 128L0 128Z", "#2f8fc4", {
          opacity: 0.88,
        }) +
        waves(108, "#7cc4e6") +
        waves(118, "#7cc4e6"),
    }),
  },
  milk: {
    prompt: "a {s} floating in an ocean of milk",
    paraphrases: ["a {s} floating in milk", "a {s} in an ocean of milk", "a {s} floating in an ocean made of milk"],
    draw: (random) => ({
      ground: 104,
      shadow: false,
      behind:
        sky("mi", "#f6c8d8", "#fdeee0") +
        flat(60, "#fbf6ea") +
        waves(68, "#e6dcc6") +
        waves(80, "#e6dcc6") +
        waves(92, "#e6dcc6") +
        scattered(3, random, (x) => path(`M${x} 66Q${x + 3} 56 ${x + 6} 66Z`, "#ffffff"), 0, 1),
      before:
        path("M0 100Q10 94 20 100T40 100T60 100T80 100T100 100T120 100T140 100L140 128L0 128Z", "#fffaf0") +
        waves(110, "#e6dcc6") +
        waves(119, "#e6dcc6"),
    }),
  },
  sunflowers: {
    prompt: "a {s} on top of green grass with sunflowers around it",
    paraphrases: [
      "a {s} on green grass among sunflowers",
      "a {s} on the grass with sunflowers around it",
      "a {s} on green grass with sunflowers",
    ],
    draw: (random) => ({
      ground: 108,
      behind:
        sky("sf", "#9fd6f2", "#eef9e6") +
        flat(74, "#6fb84a") +
        hills(78, 3, "#7dc558", random) +
        [8, 26, 102, 120, 50, 80]
          .map((x) => sunflower(x + random.range(-3, 3), random.range(50, 66), random.range(0.9, 1.2)))
          .join(""),
      before:
        [6, 22, 106, 122].map((x) => sunflower(x, random.range(100, 108), 0.8)).join("") +
        stroke(
          Array.from({ length: 22 }, (_, i) => `M${i * 6} 128L${i * 6 + 2} ${118 + (i % 3) * 2}`).join(""),
          "#4e9a35",
          1.6,
        ),
    }),
  },
  sidewalk: {
    prompt: "a {s} on top of the sidewalk in a crowded street",
    paraphrases: [
      "a {s} on the sidewalk of a crowded street",
      "a {s} on a sidewalk among many people",
      "a {s} in a crowded street on the sidewalk",
    ],
    draw: (random) => ({
      ground: 110,
      behind:
        sky("si", "#cfdbe3", "#eeeae2") +
        buildings(84, 5, [50, 84], ["#b58a76", "#9a8c98", "#c4a482"], "#f8efcc", random) +
        flat(84, "#8b8d94") +
        Array.from({ length: 9 }, (_, i) =>
          person(
            7 + i * 14 + random.range(-3, 3),
            random.range(92, 97),
            random.pick(["#d9534f", "#3f7fc4", "#4aa37a", "#e0a33b", "#7a5aa8", "#444a55"]),
            random.pick(["#f1c9a5", "#8d5a3a", "#d9a079"]),
            random.pick(["#2b211c", "#7a4d2a", "#d9b25a"]),
          ),
        ).join("") +
        flat(96, "#c9c6bf") +
        stroke("M0 97L128 97", "#9b9890", 1.6) +
        stroke("M22 97L6 128M54 97L48 128M86 97L92 128M116 97L134 128M0 110L128 110", "#b0ada5", 1),
    }),
  },
  "dirt road": {
    prompt: "a {s} on top of a dirt road",
    paraphrases: ["a {s} on a dirt road", "a {s} on a dusty dirt road", "a {s} on a road of dirt in the country"],
    draw: (random) => ({
      ground: 110,
      behind:
        sky("dr", "#a8d4ee", "#f2efdf") +
        cloud(random.range(16, 110), 20, 0.9) +
        flat(66, "#8fb45a") +
        hills(66, 5, "#9ec26a", random) +
        path("M58 66L70 66L122 128L6 128Z", "#b98a5a") +
        path("M62 70L66 70L84 128L44 128Z", "#a97b4c", { opacity: 0.6 }) +
        scattered(14, random, (x, y) => ellipse(x, y, 1.8, 1, "#8a6238"), 92, 127),
    }),
  },
};

const leaf = (x: number, y: number, size: number, turn: number, fill: string): string =>
  group(
    `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${turn.toFixed(0)}) scale(${size.toFixed(2)})`,
    path("M0 0Q-10 -14 0 -30Q10 -14 0 0Z", fill),
    stroke("M0 -2L0 -26", "#ffffff", 0.7, { opacity: 0.25 }),
  );
const palm = (x: number): string =>
  stroke(`M${x} 96Q${x + 4} 70 ${x - 2} 44`, "#8a6238", 4) +
  [-70, -30, 20, 60, 100]
    .map((turn) => group(`translate(${x - 2} 44) rotate(${turn})`, path("M0 0Q-4 -14 4 -26Q8 -12 0 0Z", "#3f9a4c")))
    .join("");
const earth = (x: number, y: number): string =>
  circle(x, y, 11, "#3f86d8") +
  path(
    `M${x - 8} ${y - 5}Q${x - 2} ${y - 10} ${x + 3} ${y - 6}Q${x} ${y} ${x - 6} ${y + 1}ZM${x + 2} ${y + 3}Q${x + 9} ${y} ${x + 8} ${y + 6}Q${x + 4} ${y + 9} ${x + 2} ${y + 3}Z`,
    "#5cb85c",
  ) +
  ellipse(x - 3, y + 6, 4, 1.4, "#ffffff", { opacity: 0.8 });
const waves = (y: number, colour: string): string =>
  stroke(`M0 ${y}Q8 ${y - 3} 16 ${y}T32 ${y}T48 ${y}T64 ${y}T80 ${y}T96 ${y}T112 ${y}T128 ${y}`, colour, 1.4);
const sunflower = (x: number, y: number, size: number): string =>
  group(
    `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`,
    stroke("M0 6L0 40", "#3f8a30", 2.4),
    ellipse(-5, 24, 5, 2.4, "#4e9a35"),
    ellipse(5, 30, 5, 2.4, "#4e9a35"),
    ...Array.from({ length: 10 }, (_, i) => ellipse(0, -8.5, 2.8, 5, "#f7c52e", { transform: `rotate(${i * 36})` })),
    circle(0, 0, 5.6, "#6b4020"),
  );
const person = (x: number, y: number, shirt: string, skin: string, hair: string): string =>
  path(`M${x - 5} ${y}L${x - 5} ${y - 16}Q${x} ${y - 22} ${x + 5} ${y - 16}L${x + 5} ${y}Z`, shirt) +
  circle(x, y - 24, 4.4, skin) +
  path(`M${x - 4.6} ${y - 24}Q${x} ${y - 32} ${x + 4.6} ${y - 24}Q${x} ${y - 27} ${x - 4.6} ${y - 24}Z`, hair);
