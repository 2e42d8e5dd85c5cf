/** Toys and figures: statues, a duck, a monster, a teddy bear, a tortoise, a robot. */
import { type Colour, colour, css, darker, lighter, outline } from "../colour.ts";
import type { Random } from "../random.ts";
import { circle, clipped, ellipse, group, path, polygon, rect, stroke } from "../svg.ts";
import type { Look, Subject } from "./subject.ts";

/** Traits of all toys. */
export interface ToyTraits {
  readonly main: Colour;
  readonly second: Colour;
  readonly mark: Colour;
  readonly pattern: "plain" | "stripes" | "dots" | "star" | "heart" | "band";
  /** Small differences of build, 0 to 1 each. */
  readonly build: readonly [number, number, number];
  /** Index of the form of a part that has several. */
  readonly form: number;
}

const mains = [0, 18, 40, 52, 95, 150, 178, 205, 225, 265, 300, 335].map((h) => colour(h, 0.58, 0.55));
const neutrals = [
  colour(30, 0.3, 0.75),
  colour(210, 0.1, 0.7),
  colour(25, 0.35, 0.4),
  colour(45, 0.4, 0.9),
  colour(220, 0.12, 0.3),
];

export const toyTraits = (random: Random): ToyTraits => {
  const main = random.chance(0.72) ? random.pick(mains) : random.pick(neutrals);
  const apart = [...mains, ...neutrals].filter((c) => Math.abs(c.h - main.h) > 40 || Math.abs(c.l - main.l) > 0.25);
  return {
    main,
    second: random.pick(apart),
    mark: random.pick(apart),
    pattern: random.pick(["plain", "stripes", "dots", "star", "heart", "band"]),
    build: [random.range(0, 1), random.range(0, 1), random.range(0, 1)],
    form: random.integer(3),
  };
};

const painted = (t: ToyTraits, { paint }: Look) => {
  const [main, second, mark] = [paint(t.main), paint(t.second), paint(t.mark)];
  return {
    main,
    second: css(second),
    mark: css(mark),
    fill: css(main),
    dark: css(darker(main, 0.12)),
    light: css(lighter(main, 0.13)),
    edge: { stroke: outline(main), "stroke-width": 1.3, "stroke-linejoin": "round" as const },
  };
};

const star = (x: number, y: number, r: number, fill: string): string =>
  path(
    polygon(
      ...Array.from({ length: 10 }, (_, i): [number, number] => {
        const [angle, radius] = [(i * Math.PI) / 5 - Math.PI / 2, i % 2 === 0 ? r : r * 0.45];
        return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
      }),
    ),
    fill,
  );

const heart = (x: number, y: number, r: number, fill: string): string =>
  path(
    `M${x} ${y + r}C${x - r * 2} ${y - r * 0.4} ${x - r * 0.7} ${y - r * 1.5} ${x} ${y - r * 0.4}C${x + r * 0.7} ${y - r * 1.5} ${x + r * 2} ${y - r * 0.4} ${x} ${y + r}Z`,
    fill,
  );

/** A mark on a round part at x, y with radii rx, ry. */
export function marking(
  { pattern }: Pick<ToyTraits, "pattern">,
  x: number,
  y: number,
  rx: number,
  ry: number,
  fill: string,
): string {
  switch (pattern) {
    case "stripes":
      return [-0.5, 0, 0.5].map((u) => rect(x + u * rx - rx * 0.11, y - ry, rx * 0.22, ry * 2, fill)).join("");
    case "dots":
      return [
        [-0.5, -0.4],
        [0.45, -0.5],
        [0, 0.1],
        [-0.6, 0.45],
        [0.6, 0.4],
      ]
        .map(([u, v]) => circle(x + u! * rx, y + v! * ry, Math.min(rx, ry) * 0.16, fill))
        .join("");
    case "star":
      return star(x, y, Math.min(rx, ry) * 0.55, fill);
    case "heart":
      return heart(x, y, Math.min(rx, ry) * 0.38, fill);
    case "band":
      return rect(x - rx, y - ry * 0.18, rx * 2, ry * 0.4, fill);
    default:
      return "";
  }
}

const face = (x: number, y: number, gap: number, size: number): string =>
  [-1, 1]
    .map(
      (s) =>
        circle(x + s * gap, y, size, "#1d1917") +
        circle(x + s * gap + size * 0.3, y - size * 0.35, size * 0.33, "#ffffff"),
    )
    .join("");

const shine = (x: number, y: number, rx: number, ry: number): string =>
  ellipse(x, y, rx, ry, "#ffffff", { opacity: 0.35 });
const id = ({ random }: Look): string => `c${random.integer(1e9)}`;

const toy = (noun: string, draw: Subject<ToyTraits>["draw"]): Subject<ToyTraits> => ({
  noun,
  live: false,
  traits: toyTraits,
  draw,
});

/** A cat sitting upright on a plinth, some with a raised paw. */
export const catStatue = toy("cat statue", (t, look) => {
  const { fill, second, mark, light, dark, edge } = painted(t, look);
  const slim = 9 + 3 * t.build[0];
  const own = id(look);
  const ear = 6 + 4 * t.build[1];
  const shape = `M${-slim} -6Q${-slim - 3} -26 -6 -36L6 -36Q${slim + 3} -26 ${slim} -6Z`;
  return {
    reach: 17,
    body:
      rect(-15, -6, 30, 6, second, { rx: 1.5, ...edge }) +
      stroke(`M${slim - 1} -9Q${slim + 12} -10 ${slim + 8} -24`, edge.stroke, 6) +
      stroke(`M${slim - 1} -9Q${slim + 12} -10 ${slim + 8} -24`, fill, 3.8) +
      path(shape, fill, edge) +
      clipped(
        own,
        path(shape, fill),
        marking(t, 0, -18, slim, 14, mark),
        ellipse(-5, -24, 2.4, 12, "#ffffff", { opacity: 0.25 }),
      ),
    head:
      [-1, 1]
        .map(
          (s) =>
            path(polygon([s * 12, -46], [s * 10.5, -53 - ear], [s * 2.5, -56]), fill, edge) +
            path(polygon([s * 10, -50], [s * 9.4, -51 - ear * 0.6], [s * 5, -54]), second),
        )
        .join("") +
      ellipse(0, -47, 13, 11, fill, edge) +
      (t.form === 0
        ? [-1, 1].map((s) => stroke(`M${s * 3} -48Q${s * 5.5} -45.5 ${s * 8} -48`, "#1d1917", 1.3)).join("")
        : face(0, -48, 5.4, t.form === 1 ? 2 : 2.7)) +
      path("M-1.6 -44L1.6 -44L0 -42.2Z", mark) +
      stroke("M0 -42.2L0 -41M-2.4 -40.4Q-1 -39.6 0 -41Q1 -39.6 2.4 -40.4", edge.stroke, 0.8) +
      (t.build[2] > 0.5
        ? ellipse(-15, -33, 4, 5.4, light, edge) + circle(-15, -36, 1.6, dark)
        : rect(-6, -37.6, 12, 3, mark, { rx: 1.5 }) +
          circle(0, -34, 2, second, { stroke: edge.stroke, "stroke-width": 0.5 })) +
      shine(-6, -53, 3.4, 1.8),
  };
});

/** An elephant from the side. */
export const elephantStatue = toy("elephant statue", (t, look) => {
  const { fill, second, mark, dark, edge } = painted(t, look);
  const own = id(look);
  const up = t.form === 0;
  const trunk = up ? "M23 -34Q35 -30 34 -44Q33 -52 28 -52" : "M23 -34Q35 -28 31 -14Q29 -8 34 -7";
  const body = ellipse(-4, -27, 23, 15 + 3 * t.build[0], fill, edge);
  return {
    reach: 28,
    body:
      [-19, 9].map((x) => rect(x - 4.6, -18, 9.2, 18, dark, { rx: 2, ...edge })).join("") +
      stroke("M-26 -30Q-33 -26 -31 -18", edge.stroke, 2) +
      body +
      clipped(own, ellipse(-4, -27, 22.4, 15, fill), marking(t, -5, -28, 19, 13, mark), shine(-10, -37, 9, 3)) +
      [-12, 3]
        .map(
          (x) => rect(x - 5, -16, 10, 16, fill, { rx: 2.4, ...edge }) + rect(x - 3.6, -3, 7.2, 2.4, second, { rx: 1 }),
        )
        .join(""),
    head:
      stroke(trunk, edge.stroke, 9) +
      stroke(trunk, fill, 6.4) +
      circle(17, -36, 11.5, fill, edge) +
      ellipse(9, -36, 7.4 + 2.4 * t.build[1], 10 + 2 * t.build[1], second, edge) +
      (t.build[2] > 0.4
        ? path("M24 -28Q31 -24 33 -29Q29 -28 26 -31Z", "#fff8e6", { stroke: "#a08c5a", "stroke-width": 0.6 })
        : "") +
      circle(21, -39, 2.1, "#1d1917") +
      circle(21.6, -39.7, 0.7, "#ffffff") +
      (t.pattern === "band" || t.form === 2
        ? path("M9 -46Q17 -52 25 -45L23 -42Q17 -47 11 -43Z", mark, { stroke: edge.stroke, "stroke-width": 0.6 })
        : ""),
  };
});

/** A rubber duck. */
export const duckToy = toy("duck toy", (t, look) => {
  const { fill, second, mark, dark, edge } = painted(t, look);
  const own = id(look);
  const shape = `M-25 -20Q-28 -30 -20 -26Q-12 -22 0 -24L14 -24Q25 -18 21 -8Q16 0 0 0Q-20 0 -25 -20Z`;
  return {
    reach: 24,
    body:
      path(shape, fill, edge) +
      clipped(own, path(shape, fill), marking(t, 4, -10, 18, 11, mark)) +
      path(`M-14 -15Q-2 -${18 + 4 * t.build[0]} 6 -13Q-2 -4 -14 -15Z`, dark, edge),
    head:
      circle(11, -35, 12.5 + 2 * t.build[1], fill, edge) +
      path(`M20 -36Q30 -${37 + 3 * t.build[2]} 31 -33Q28 -28 20 -30Z`, second, {
        stroke: outlineOf(t.second),
        "stroke-width": 1.1,
      }) +
      stroke("M21 -33.2L29 -33", outlineOf(t.second), 0.7) +
      circle(14, -38, 2.8, "#ffffff", { stroke: "#2a2320", "stroke-width": 0.6 }) +
      circle(14.7, -38, 1.7, "#1d1917") +
      circle(15.2, -38.7, 0.6, "#ffffff") +
      (t.form === 0
        ? stroke("M8 -48Q6 -54 10 -53M10 -48Q11 -55 14 -52", edge.stroke, 1.8)
        : t.form === 1
          ? rect(2, -26, 17, 3.6, mark, { rx: 1.8 }) + path("M3 -25L-2 -20L2 -18L6 -24Z", mark)
          : path("M2 -46Q11 -54 20 -46L21 -43Q11 -48 1 -43Z", mark, { stroke: edge.stroke, "stroke-width": 0.7 })) +
      shine(6, -42, 3.4, 2.2),
  };
});
const outlineOf = (c: Colour): string => outline(c);

/** A monster: one to three eyes, horns or antennae, a tummy and teeth. */
export const monsterToy = toy("monster toy", (t, look) => {
  const { fill, second, mark, dark, edge } = painted(t, look);
  const own = id(look);
  const eyes = t.form + 1;
  const w = 17 + 5 * t.build[0];
  const shape = `M${-w} -8Q${-w - 2} -50 0 -50Q${w + 2} -50 ${w} -8Q${w} -2 ${w - 5} -2L${-w + 5} -2Q${-w} -2 ${-w} -8Z`;
  const horn = (s: number) =>
    t.build[1] > 0.5
      ? path(`M${s * 6} -47Q${s * 8} -58 ${s * 14} -60Q${s * 15} -52 ${s * 12} -44Z`, mark, edge)
      : stroke(`M${s * 6} -48L${s * 10} -57`, edge.stroke, 1.8) +
        circle(s * 10, -58, 3, mark, { stroke: edge.stroke, "stroke-width": 0.8 });
  return {
    reach: w + 4,
    body:
      horn(-1) +
      horn(1) +
      [-1, 1]
        .map(
          (s) =>
            stroke(`M${s * w} -26Q${s * (w + 9)} -24 ${s * (w + 7)} -14`, edge.stroke, 7) +
            stroke(`M${s * w} -26Q${s * (w + 9)} -24 ${s * (w + 7)} -14`, dark, 5) +
            ellipse(s * 8, -1.5, 7, 3, dark, edge),
        )
        .join("") +
      path(shape, fill, edge) +
      clipped(own, path(shape, fill), marking(t, 0, -14, w * 0.8, 11, second), shine(-w * 0.55, -38, 3, 8)),
    head:
      Array.from({ length: eyes }, (_, i) => (i - (eyes - 1) / 2) * 11.5)
        .map(
          (x) =>
            circle(x, -36, eyes === 1 ? 7.5 : 5.2, "#ffffff", { stroke: edge.stroke, "stroke-width": 1 }) +
            circle(x + 0.6, -35.5, eyes === 1 ? 3.8 : 2.6, mark) +
            circle(x + 0.6, -35.5, eyes === 1 ? 2 : 1.4, "#14110f") +
            circle(x + 1.5, -36.8, 0.9, "#ffffff"),
        )
        .join("") +
      path("M-9 -25Q0 -18 9 -25Q8 -15.5 0 -15.5Q-8 -15.5 -9 -25Z", "#5a1f2b", {
        stroke: edge.stroke,
        "stroke-width": 0.9,
      }) +
      (t.build[2] > 0.5 ? [-5, 0, 5] : [-4.5, 4.5])
        .map((x) => path(polygon([x - 2, -23.2], [x + 2, -23.2], [x, -19.4]), "#ffffff"))
        .join(""),
  };
});

/** A sitting teddy bear. */
export const teddyBear = toy("teddy bear", (t, look) => {
  const { fill, second, mark, light, edge } = painted(t, look);
  const own = id(look);
  const w = 14 + 3.5 * t.build[0];
  return {
    reach: 24,
    body:
      [-1, 1].map((s) => ellipse(s * 15, -5, 8.4, 5.6, fill, edge) + ellipse(s * 18.4, -5, 3.6, 4.2, second)).join("") +
      ellipse(0, -17, w, 15, fill, edge) +
      clipped(
        own,
        ellipse(0, -17, w - 0.6, 14.4, fill),
        ellipse(0, -14, w * 0.62, 10, light),
        t.pattern === "band" ? "" : marking(t, 0, -15, w * 0.6, 9, mark),
      ) +
      [-1, 1]
        .map((s) =>
          ellipse(s * (w + 1), -22, 4.6, 8.4, fill, { ...edge, transform: `rotate(${s * -28} ${s * (w + 1)} -22)` }),
        )
        .join(""),
    head:
      [-1, 1]
        .map((s) => circle(s * 11.4, -54, 5.4 + 1.8 * t.build[1], fill, edge) + circle(s * 11.4, -54, 3, second))
        .join("") +
      ellipse(0, -44, 15.6, 13.2, fill, edge) +
      ellipse(0, -39.5, 7, 5.4, light) +
      ellipse(0, -42, 2.7, 1.9, "#231a16") +
      stroke("M0 -40L0 -38.4M-2.6 -37.4Q-1.2 -36.2 0 -38.4Q1.2 -36.2 2.6 -37.4", "#231a16", 0.9) +
      face(0, -46.5, 6, 1.9) +
      (t.form === 0
        ? path("M-7.5 -31L0 -28.6L-7.5 -25.6ZM7.5 -31L0 -28.6L7.5 -25.6Z", mark, {
            stroke: edge.stroke,
            "stroke-width": 0.7,
          }) + circle(0, -28.5, 1.9, mark)
        : t.form === 1
          ? rect(-11, -33, 22, 4.4, mark, { rx: 2 }) + rect(4, -31, 4.4, 11, mark, { rx: 1.6 })
          : heart(8, -52, 2.6, mark)) +
      (t.build[2] > 0.6 ? stroke("M-12 -38L-8.5 -36.5M-11.8 -36L-9 -38.6", "#231a16", 0.7) : ""),
  };
});

/** A plush tortoise. */
export const tortoisePlushy = toy("tortoise plushy", (t, look) => {
  const { fill, second, mark, edge } = painted(t, look);
  const own = id(look);
  const high = 27 + 6 * t.build[0];
  const shell = `M-24 -9Q-23 ${-high - 6} -2 ${-high - 6}Q20 ${-high - 6} 20 -9Z`;
  const plates =
    t.form === 0
      ? [
          [-13, 0.5],
          [-1, 0.75],
          [10, 0.5],
        ]
          .map(([x, v]) =>
            path(
              polygon(
                ...[0, 1, 2, 3, 4, 5].map((i): [number, number] => [
                  x! + 5.6 * Math.cos((i * Math.PI) / 3),
                  -high * v! + 5.6 * Math.sin((i * Math.PI) / 3),
                ]),
              ),
              mark,
              { opacity: 0.9 },
            ),
          )
          .join("")
      : t.form === 1
        ? stroke(`M-14 -9Q-12 ${-high} -2 ${-high - 5}M8 -9Q8 ${-high} -2 ${-high - 5}M-22 -18L19 -18`, mark, 2.2)
        : marking(t.pattern === "plain" ? { pattern: "dots" } : t, -2, -high * 0.62, 17, high * 0.42, mark);
  return {
    reach: 27,
    body:
      [-15, 11].map((x) => ellipse(x, -3.6, 6.6, 4.4, second, { stroke: edge.stroke, "stroke-width": 1.2 })).join("") +
      path("M-23 -9L-30 -6L-22 -5Z", second, { stroke: edge.stroke, "stroke-width": 1 }) +
      path(shell, fill, edge) +
      clipped(own, path(shell, fill), plates, ellipse(-9, -high, 7, 3, "#ffffff", { opacity: 0.3 })) +
      rect(-25.5, -11, 47, 5, second, { rx: 2.5, stroke: edge.stroke, "stroke-width": 1 }),
    head:
      path("M15 -9Q21 -10 22 -18L30 -18Q31 -6 20 -5Z", second, { stroke: edge.stroke, "stroke-width": 1 }) +
      ellipse(26.5, -22 - 4 * t.build[1], 8.4, 7.6, second, { stroke: edge.stroke, "stroke-width": 1.2 }) +
      circle(28.6, -24 - 4 * t.build[1], 1.9, "#1d1917") +
      circle(29.2, -24.7 - 4 * t.build[1], 0.6, "#ffffff") +
      stroke(
        `M29 ${-18.6 - 4 * t.build[1]}Q31.5 ${-18.4 - 4 * t.build[1]} 33 ${-20.4 - 4 * t.build[1]}`,
        edge.stroke,
        0.9,
      ) +
      (t.build[2] > 0.55 ? ellipse(25.5, -17.4 - 4 * t.build[1], 2, 1.2, "#ff8fa0", { opacity: 0.6 }) : ""),
  };
});

/** A tin robot. */
export const robotToy = toy("robot toy", (t, look) => {
  const { fill, second, mark, dark, edge } = painted(t, look);
  const own = id(look);
  const w = 13 + 4 * t.build[0];
  const body = rect(-w, -31, w * 2, 24, fill, { rx: 3, ...edge });
  return {
    reach: 20,
    body:
      [-1, 1]
        .map(
          (s) =>
            rect(s * 8 - 4.5, -9, 9, 9, dark, { rx: 1.5, ...edge }) +
            rect(s * (w + 3.5) - 3, -28, 6, 15, second, { rx: 2.5, ...edge }) +
            circle(s * (w + 3.5), -11.5, 3, dark, edge),
        )
        .join("") +
      body +
      clipped(own, rect(-w + 0.6, -30.4, w * 2 - 1.2, 22.8, fill), marking(t, 0, -19, w * 0.7, 9, mark)),
    head:
      stroke("M0 -50L0 -57", edge.stroke, 1.6) +
      circle(0, -58, 2.5, mark, edge) +
      rect(-12, -50, 24, 17, second, { rx: 3 + 5 * t.build[1], ...edge }) +
      face(0, -43, 5.2, 2.6) +
      (t.form === 0
        ? rect(-5, -38, 10, 2.4, mark)
        : t.form === 1
          ? stroke("M-5 -38Q0 -35 5 -38", edge.stroke, 1.3)
          : stroke("M-5 -37L-3 -38.5L-1 -37L1 -38.5L3 -37L5 -38.5", edge.stroke, 1)) +
      shine(-7, -47, 3, 1.4),
  };
});

/** A garden gnome, one more kind for the base model. */
export const gnome = toy("garden gnome", (t, look) => {
  const { fill, second, mark, edge } = painted(t, look);
  const tall = 14 + 6 * t.build[0];
  return {
    reach: 15,
    body:
      [-1, 1].map((s) => ellipse(s * 6, -2, 6, 3, "#4a3524", edge)).join("") +
      path("M-12 -4Q-14 -26 -8 -32L8 -32Q14 -26 12 -4Z", second, edge) +
      rect(-12.5, -14, 25, 3.4, "#4a3524") +
      rect(-2.5, -14.6, 5, 4.6, "#e4b93a"),
    head: group(
      "",
      ellipse(0, -36, 8.5, 8, "#f2c6a0", edge),
      path(`M-9 -36Q0 -${16 - 4 * t.build[1]} 9 -36Q6 -32 0 -32Q-6 -32 -9 -36Z`, "#ffffff", edge),
      circle(0, -35, 2.4, "#e8a080"),
      face(0, -38.5, 3.6, 1.2),
      path(`M-10.5 -41Q0 -46 10.5 -41L${t.form * 3 - 3} ${-44 - tall}Z`, fill, edge),
      t.pattern === "plain" ? "" : star(0, -46, 2.8, mark),
    ),
  };
});
