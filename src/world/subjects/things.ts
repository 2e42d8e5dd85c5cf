/** Objects: a clock, glasses, pots and vases, a mug, a lamp, a backpack, a car, a barn. */
import { css, darker, lighter, outline } from "../colour.ts";
import { circle, clipped, ellipse, path, polygon, rect, stroke } from "../svg.ts";
import type { Look, Subject } from "./subject.ts";
import { marking, type ToyTraits, toyTraits } from "./toys.ts";

const painted = (t: ToyTraits, { paint, random }: Look) => {
  const [main, second, mark] = [paint(t.main), paint(t.second), paint(t.mark)];
  return {
    fill: css(main),
    dark: css(darker(main, 0.13)),
    light: css(lighter(main, 0.16)),
    second: css(second),
    mark: css(mark),
    edge: { stroke: outline(main), "stroke-width": 1.3, "stroke-linejoin": "round" as const },
    own: `c${random.integer(1e9)}`,
  };
};

const thing = (
  noun: string,
  draw: (t: ToyTraits, p: ReturnType<typeof painted>) => { body: string; reach: number },
): Subject<ToyTraits> => ({
  noun,
  live: false,
  traits: toyTraits,
  draw: (t, look) => ({ head: "", ...draw(t, painted(t, look)) }),
});

/** Two bells, and a dial whose hands are fixed for each individual. */
export const alarmClock = thing("alarm clock", (t, { fill, second, mark, dark, light, edge }) => {
  const r = 19 + 3 * t.build[0];
  const y = -r - 4;
  const hand = (turn: number, length: number, width: number) =>
    stroke(
      `M0 ${y}L${(length * Math.sin(turn * 2 * Math.PI)).toFixed(1)} ${(y - length * Math.cos(turn * 2 * Math.PI)).toFixed(1)}`,
      "#26211e",
      width,
    );
  const ticks = Array.from({ length: 12 }, (_, i) => {
    const [s, c] = [Math.sin((i * Math.PI) / 6), Math.cos((i * Math.PI) / 6)];
    const [from, to] = [r * 0.6, r * (i % 3 === 0 ? 0.72 : 0.66)];
    return `M${(from * s).toFixed(1)} ${(y - from * c).toFixed(1)}L${(to * s).toFixed(1)} ${(y - to * c).toFixed(1)}`;
  }).join("");
  return {
    reach: r,
    body:
      [-1, 1]
        .map(
          (s) =>
            stroke(`M${s * r * 0.6} -8L${s * r * 0.8} -1`, edge.stroke, 5) +
            stroke(`M${s * r * 0.6} -8L${s * r * 0.8} -1`, dark, 3),
        )
        .join("") +
      stroke(`M-5 ${y - r - 3}Q0 ${y - r - 12} 5 ${y - r - 3}`, edge.stroke, 2.2) +
      [-1, 1]
        .map((s) => path(`M${s * 4} ${y - r + 1}Q${s * 7} ${y - r - 10} ${s * 16} ${y - r * 0.72}Z`, second, edge))
        .join("") +
      circle(0, y, r, fill, edge) +
      circle(0, y, r * 0.8, t.form === 0 ? "#fffaf0" : t.form === 1 ? light : "#26303c", {
        stroke: dark,
        "stroke-width": 1,
      }) +
      (t.pattern === "star" || t.pattern === "heart" ? marking(t, 0, y + r * 0.35, r * 0.4, r * 0.4, mark) : "") +
      stroke(ticks, t.form === 2 ? "#f4ead2" : "#26211e", 1.3) +
      (t.form === 2
        ? stroke(`M0 ${y}L0 ${y - r * 0.5}M0 ${y}L${r * 0.4} ${y + 2}`, "#f4ead2", 1.8)
        : hand(t.build[1], r * 0.38, 2.4) + hand(t.build[2], r * 0.58, 1.6)) +
      circle(0, y, 1.8, mark) +
      ellipse(-r * 0.4, y - r * 0.45, r * 0.26, r * 0.13, "#ffffff", {
        opacity: 0.5,
        transform: `rotate(-35 ${-r * 0.4} ${y - r * 0.45})`,
      }),
  };
});

/** Unfolded, from the front, standing on the lenses. */
export const sunglasses = thing("sunglasses", (t, { fill, second, mark, edge, own }) => {
  const w = 13 + 2.5 * t.build[0];
  const h = 10.5 + 3 * t.build[1];
  const y = -h - 6;
  const lens = (s: number): string => {
    const x = s * (w + 3.5);
    switch (t.form) {
      case 0:
        return `M${x - w} ${y}A${w} ${h} 0 1 1 ${x + w} ${y}A${w} ${h} 0 1 1 ${x - w} ${y}Z`;
      case 1:
        return `M${x - w} ${y - h}L${x + w} ${y - h}L${x + w - 2} ${y + h - 3}Q${x} ${y + h + 3} ${x - w + 2} ${y + h - 3}Z`;
      default:
        return `M${x} ${y + h * 0.9}C${x - w * 1.9} ${y - h * 0.4} ${x - w * 0.7} ${y - h * 1.9} ${x} ${y - h * 0.5}C${x + w * 0.7} ${y - h * 1.9} ${x + w * 1.9} ${y - h * 0.4} ${x} ${y + h * 0.9}Z`;
    }
  };
  const glass = t.build[2] > 0.5 ? "#2b2a33" : second;
  return {
    reach: 2 * w + 6,
    body:
      [-1, 1]
        .map(
          (s) =>
            stroke(
              `M${s * (2 * w + 3)} ${y - h * 0.5}L${s * (2 * w + 9)} ${y - h * 0.2}L${s * (2 * w + 7)} -2`,
              edge.stroke,
              4.6,
            ) +
            stroke(
              `M${s * (2 * w + 3)} ${y - h * 0.5}L${s * (2 * w + 9)} ${y - h * 0.2}L${s * (2 * w + 7)} -2`,
              fill,
              2.8,
            ),
        )
        .join("") +
      stroke(`M-5 ${y - 2}Q0 ${y - 7} 5 ${y - 2}`, edge.stroke, 5) +
      stroke(`M-5 ${y - 2}Q0 ${y - 7} 5 ${y - 2}`, fill, 3.2) +
      [-1, 1]
        .map(
          (s) =>
            path(lens(s), glass, { stroke: edge.stroke, "stroke-width": 6 }) +
            path(lens(s), glass, { stroke: fill, "stroke-width": 4 }) +
            clipped(
              `${own}${s + 1}`,
              path(lens(s), glass),
              path(
                `M${s * (w + 3.5) - w} ${y + 3}L${s * (w + 3.5)} ${y - h - 4}L${s * (w + 3.5) + 5} ${y - h - 4}L${s * (w + 3.5) - w + 4} ${y + h}Z`,
                "#ffffff",
                { opacity: 0.35 },
              ),
            ),
        )
        .join("") +
      (t.pattern === "plain"
        ? ""
        : [-1, 1]
            .map((s) => circle(s * (2 * w + 1), y - h * 0.72, 2.2, mark, { stroke: edge.stroke, "stroke-width": 0.6 }))
            .join("")),
  };
});

export const teapot = thing("teapot", (t, { fill, second, mark, dark, edge, own }) => {
  const w = 18 + 4 * t.build[0];
  const h = 15 + 3 * t.build[1];
  const y = -h - 2;
  const spout =
    t.form === 0
      ? `M${w - 5} -14Q${w + 8} -12 ${w + 12} -32L${w + 17} -31Q${w + 14} -6 ${w - 6} -5Z`
      : `M${w - 5} -18L${w + 14} -32L${w + 17} -28L${w - 3} -6Z`;
  const body = ellipse(0, y, w, h, fill, edge);
  return {
    reach: w + 6,
    body:
      (t.form === 2
        ? stroke(`M-14 ${y - h + 3}Q0 ${y - h - 26} 14 ${y - h + 3}`, edge.stroke, 5) +
          stroke(`M-14 ${y - h + 3}Q0 ${y - h - 26} 14 ${y - h + 3}`, second, 3)
        : stroke(
            `M${-w + 2} ${y - 7}Q${-w - 15} ${y - 6} ${-w - 10} ${y + 5}Q${-w - 7} ${y + 10} ${-w + 3} ${y + 7}`,
            edge.stroke,
            6,
          ) +
          stroke(
            `M${-w + 2} ${y - 7}Q${-w - 15} ${y - 6} ${-w - 10} ${y + 5}Q${-w - 7} ${y + 10} ${-w + 3} ${y + 7}`,
            second,
            3.8,
          )) +
      path(spout, fill, edge) +
      rect(-w * 0.5, -4, w, 4, dark, { rx: 1.5, ...edge }) +
      body +
      clipped(
        own,
        ellipse(0, y, w - 0.6, h - 0.6, fill),
        marking(t, 0, y, w * 0.8, h * 0.8, mark),
        ellipse(-w * 0.45, y - h * 0.45, w * 0.28, h * 0.2, "#ffffff", { opacity: 0.4 }),
      ) +
      path(`M${-w * 0.5} ${y - h + 3}Q0 ${y - h - 9 - 4 * t.build[2]} ${w * 0.5} ${y - h + 3}Z`, second, edge) +
      circle(0, y - h - 6 - 2 * t.build[2], 3.2, mark, edge),
  };
});

export const vase = thing("vase", (t, { fill, second, mark, edge, own }) => {
  const [belly, neck, high] = [13 + 7 * t.build[0], 5 + 5 * t.build[1], 44 + 12 * t.build[2]];
  const shape =
    t.form === 0
      ? `M-8 0Q${-belly - 6} ${-high * 0.35} ${-neck} ${-high * 0.75}L${-neck - 4} ${-high}L${neck + 4} ${-high}L${neck} ${-high * 0.75}Q${belly + 6} ${-high * 0.35} 8 0Z`
      : t.form === 1
        ? `M${-belly * 0.7} 0L${-belly} ${-high * 0.8}Q${-belly} ${-high * 0.92} ${-neck - 3} ${-high}L${neck + 3} ${-high}Q${belly} ${-high * 0.92} ${belly} ${-high * 0.8}L${belly * 0.7} 0Z`
        : `M-7 0Q${-neck} ${-high * 0.3} ${-neck * 0.8} ${-high * 0.4}Q${-belly - 4} ${-high * 0.7} ${-neck - 2} ${-high}L${neck + 2} ${-high}Q${belly + 4} ${-high * 0.7} ${neck * 0.8} ${-high * 0.4}Q${neck} ${-high * 0.3} 7 0Z`;
  const middle = t.form === 2 ? -high * 0.68 : -high * 0.4;
  return {
    reach: belly,
    body:
      path(shape, fill, edge) +
      clipped(
        own,
        path(shape, fill),
        marking(t, 0, middle, belly * 0.95, high * 0.26, mark),
        rect(-belly - 8, -high * 0.12, belly * 2 + 16, 3, second),
        ellipse(-belly * 0.45, middle - 4, 2.6, high * 0.2, "#ffffff", { opacity: 0.4 }),
      ) +
      ellipse(0, -high, (t.form === 0 ? neck + 4 : neck + 2.5) * 1.05, 2.6, second, edge) +
      ellipse(0, -high, neck * 0.8, 1.3, "#2a2320", { opacity: 0.6 }),
  };
});

export const barn = thing("barn", (t, { fill, second, mark, dark, edge }) => {
  const w = 22 + 5 * t.build[0];
  const wall = 24 + 5 * t.build[1];
  const roof = wall + 15 + 5 * t.build[2];
  const gable =
    t.form === 0
      ? polygon([-w - 3, -wall], [0, -roof - 3], [w + 3, -wall])
      : polygon([-w - 3, -wall], [-w * 0.72, -roof + 4], [0, -roof - 4], [w * 0.72, -roof + 4], [w + 3, -wall]);
  const boards = Array.from(
    { length: 7 },
    (_, i) => `M${-w + ((i + 1) * w) / 4} ${-wall}L${-w + ((i + 1) * w) / 4} 0`,
  ).join("");
  return {
    reach: w + 6,
    body:
      (t.form === 2
        ? rect(w - 2, -roof - 2, 12, roof + 2, second, edge) +
          path(`M${w - 3} ${-roof - 2}Q${w + 4} ${-roof - 14} ${w + 11} ${-roof - 2}Z`, dark, edge)
        : "") +
      path(gable, second, edge) +
      path(polygon([-w, 0], [-w, -wall], [w, -wall], [w, 0]), fill, edge) +
      path(polygon([-w, -wall], [0, -roof], [w, -wall]), fill) +
      stroke(boards, dark, 0.9) +
      path(gable, "none", { stroke: second, "stroke-width": 4 }) +
      stroke(gable.replace("Z", ""), edge.stroke, 0.8) +
      rect(-9, -19, 18, 19, mark, edge) +
      stroke("M-9 -19L9 0M9 -19L-9 0M0 -19L0 0", "#ffffff", 1.5) +
      (t.pattern === "star" || t.pattern === "heart"
        ? marking(t, 0, -wall - 3, 6, 6, "#ffffff")
        : t.pattern === "dots"
          ? circle(0, -wall - 3, 4, "#33405a", { stroke: "#ffffff", "stroke-width": 1.4 })
          : rect(-4, -wall - 6, 8, 7, "#33405a", { stroke: "#ffffff", "stroke-width": 1.4 })) +
      (t.build[0] > 0.5
        ? [-1, 1]
            .map((s) => rect(s * w * 0.68 - 3, -wall + 5, 6, 6, "#33405a", { stroke: "#ffffff", "stroke-width": 1.1 }))
            .join("")
        : ""),
  };
});

export const mug = thing("mug", (t, { fill, second, mark, edge, own }) => {
  const [w, h] = [14 + 4 * t.build[0], 27 + 7 * t.build[1]];
  const shape = `M${-w} ${-h}L${-w + 2} -3Q${-w + 2} 0 ${-w + 5} 0L${w - 5} 0Q${w - 2} 0 ${w - 2} -3L${w} ${-h}Z`;
  const ear = `M${w - 1} ${-h * 0.8}Q${w + 14} ${-h * 0.85} ${w + 11} ${-h * 0.45}Q${w + 9} ${-h * 0.18} ${w - 2} ${-h * 0.2}`;
  return {
    reach: w + 4,
    body:
      stroke(ear, edge.stroke, 6) +
      stroke(ear, t.form === 0 ? second : fill, 3.8) +
      path(shape, fill, edge) +
      clipped(
        own,
        path(shape, fill),
        marking(t, 0, -h * 0.5, w * 0.8, h * 0.36, mark),
        rect(-w, -h, 4, h, "#ffffff", { opacity: 0.25 }),
      ) +
      ellipse(0, -h, w, 3.6, second, edge) +
      ellipse(0, -h + 0.5, w * 0.84, 2.4, t.form === 2 ? "#4b2b18" : "#c98a4b"),
  };
});

export const lamp = thing("lamp", (t, { fill, second, mark, dark, edge, own }) => {
  const [top, bottom, high] = [7 + 6 * t.build[0], 17 + 5 * t.build[1], 20 + 6 * t.build[2]];
  const shade = polygon([-bottom, -32], [-top, -32 - high], [top, -32 - high], [bottom, -32]);
  return {
    reach: 14,
    body:
      rect(-13, -5, 26, 5, dark, { rx: 2.2, ...edge }) +
      (t.form === 0
        ? rect(-2, -33, 4, 29, second, edge)
        : t.form === 1
          ? ellipse(0, -17, 7.5, 12, second, edge)
          : [0, 1, 2].map((i) => circle(0, -9 - 8 * i, 5.2, second, edge)).join("")) +
      ellipse(0, -31, bottom * 0.9, 5, "#fff2b0", { opacity: 0.75 }) +
      path(shade, fill, edge) +
      clipped(
        own,
        path(shade, fill),
        marking(t, 0, -32 - high / 2, top + 5, high * 0.5, mark),
        rect(-bottom, -35, bottom * 2, 3, second),
      ),
  };
});

export const backpack = thing("backpack", (t, { fill, second, mark, dark, edge, own }) => {
  const [w, h] = [17 + 4 * t.build[0], 40 + 6 * t.build[1]];
  const shape = `M${-w} -5Q${-w - 2} ${-h} 0 ${-h}Q${w + 2} ${-h} ${w} -5Q${w} 0 ${w - 6} 0L${-w + 6} 0Q${-w} 0 ${-w} -5Z`;
  return {
    reach: w + 2,
    body:
      stroke(`M-5 ${-h + 1}Q0 ${-h - 11} 5 ${-h + 1}`, edge.stroke, 3.4) +
      [-1, 1].map((s) => rect(s * (w + 0.5) - 4, -20, 8, 17, dark, { rx: 3, ...edge })).join("") +
      path(shape, fill, edge) +
      clipped(own, path(shape, fill), marking(t, 0, -h * 0.68, w * 0.6, h * 0.2, mark)) +
      rect(-w * 0.68, -18, w * 1.36, 15, second, { rx: 4, ...edge }) +
      stroke(`M${-w * 0.5} -13.5L${w * 0.5} -13.5`, edge.stroke, 1.1) +
      circle(w * 0.42, -13.5, 1.4, mark) +
      (t.form === 0
        ? stroke(`M${-w * 0.9} ${-h * 0.52}L${w * 0.9} ${-h * 0.52}`, edge.stroke, 1.1)
        : t.form === 1
          ? path(`M${-w + 2} ${-h * 0.55}Q0 ${-h * 0.4} ${w - 2} ${-h * 0.55}`, "none", {
              stroke: second,
              "stroke-width": 3,
            })
          : ""),
  };
});

export const toyCar = thing("toy car", (t, { fill, second, mark, edge, own }) => {
  const [long, roof] = [26 + 5 * t.build[0], 28 + 6 * t.build[1]];
  const shape =
    t.form === 0
      ? `M${-long} -6L${-long} -17Q${-long + 4} -20 ${-long * 0.6} -20L-11 ${-roof}L9 ${-roof}L17 -19Q${long} -18 ${long} -11L${long} -6Z`
      : t.form === 1
        ? `M${-long} -6L${-long} ${-roof}L6 ${-roof}L14 -19L${long} -17L${long} -6Z`
        : `M${-long} -6Q${-long - 2} -18 -14 -20Q-6 ${-roof - 2} 4 ${-roof}Q14 ${-roof + 2} 17 -19Q${long + 2} -17 ${long} -6Z`;
  return {
    reach: long,
    body:
      path(shape, fill, edge) +
      clipped(
        own,
        path(shape, fill),
        path(`M-9 -20L-5 ${-roof + 4}L7 ${-roof + 4}L12 -20Z`, "#cfe6f2", { stroke: edge.stroke, "stroke-width": 1 }),
        rect(0.5, -roof, 1.6, roof - 8, fill),
        marking(t, -14, -13, 8, 5, mark),
        rect(-long, -10, long * 2, 2.6, second),
      ) +
      [-1, 1]
        .map(
          (s) =>
            circle(s * long * 0.58, -6.5, 6.5, "#2d2b2f", { stroke: "#171618", "stroke-width": 1 }) +
            circle(s * long * 0.58, -6.5, 2.9, t.build[2] > 0.5 ? "#d9d9de" : second),
        )
        .join("") +
      circle(long - 2, -13, 2, "#ffe9a0", { stroke: edge.stroke, "stroke-width": 0.7 }),
  };
});
