/** Sitting or standing animals facing the viewer: species differ in a few numbers and in their ears. */
import { type Colour, colour, css, darker, lighter, outline } from "../colour.ts";
import type { Random } from "../random.ts";
import { circle, clipped, ellipse, group, path, stroke } from "../svg.ts";
import type { Figure, Look, Subject } from "./subject.ts";

export interface AnimalTraits {
  readonly coat: Colour;
  readonly second: Colour;
  readonly pattern: "plain" | "spots" | "stripes" | "patch" | "mask" | "half";
  readonly bib: boolean;
  readonly socks: boolean;
  readonly ears: "pointed" | "floppy" | "round" | "long" | "folded";
  readonly inner: Colour;
  readonly eyes: Colour;
  readonly nose: Colour;
  /** Factor on the width of body and head. */
  readonly stout: number;
  readonly face: number;
  readonly muzzle: number;
  readonly tail: "curl" | "long" | "stub" | "bushy";
  readonly collar: Colour | undefined;
}

const coats = [
  colour(28, 0.5, 0.5),
  colour(22, 0.45, 0.3),
  colour(36, 0.65, 0.68),
  colour(20, 0.7, 0.52),
  colour(230, 0.08, 0.2),
  colour(220, 0.1, 0.52),
  colour(45, 0.25, 0.88),
  colour(210, 0.22, 0.62),
  colour(12, 0.5, 0.42),
] as const;
const eyeColours = [
  colour(130, 0.5, 0.42),
  colour(45, 0.8, 0.5),
  colour(205, 0.65, 0.5),
  colour(25, 0.6, 0.25),
] as const;
const collars = [
  colour(0, 0.7, 0.5),
  colour(215, 0.7, 0.45),
  colour(150, 0.5, 0.38),
  colour(48, 0.9, 0.55),
  colour(320, 0.6, 0.55),
] as const;

/** The fixed and variable traits of a species. */
interface Species {
  readonly noun: string;
  readonly ears: readonly AnimalTraits["ears"][];
  readonly tails: readonly AnimalTraits["tail"][];
  readonly whiskers: boolean;
  readonly muzzle: readonly [number, number];
  readonly fixed?: Partial<AnimalTraits>;
}

const traitsOf =
  ({ ears, tails, muzzle, fixed }: Species) =>
  (random: Random): AnimalTraits => {
    const coat = random.pick(coats);
    const second = random.pick(coats.filter((c) => Math.abs(c.l - coat.l) > 0.18 || Math.abs(c.h - coat.h) > 90));
    return {
      coat,
      second,
      pattern: random.pick(["plain", "spots", "stripes", "patch", "mask", "half"]),
      bib: random.chance(0.5),
      socks: random.chance(0.4),
      ears: random.pick(ears),
      inner: random.pick([colour(350, 0.55, 0.75), darker(coat, 0.12), second]),
      eyes: random.pick(eyeColours),
      nose: random.pick([colour(230, 0.15, 0.16), colour(350, 0.6, 0.65), colour(20, 0.4, 0.3)]),
      stout: random.range(0.82, 1.3),
      face: random.range(0.88, 1.15),
      muzzle: random.range(...muzzle),
      tail: random.pick(tails),
      collar: random.chance(0.35) ? random.pick(collars) : undefined,
      ...fixed,
    };
  };

function draw(species: Species, t: AnimalTraits, { paint, random }: Look): Figure {
  const [coat, second] = [paint(t.coat), paint(t.second)];
  const [fur, fur2, edge] = [css(coat), css(second), { stroke: outline(coat), "stroke-width": 1.3 }];
  const standing = random.chance(0.35);
  const id = `c${random.integer(1e9)}`;
  const w = t.stout;
  const bib = t.bib || t.pattern === "mask" ? fur2 : css(lighter(coat, 0.07));

  // The body: sitting from the front, standing from the side.
  const torso = standing
    ? { x: -6, y: -24, rx: 21 * w, ry: 12.5 * Math.sqrt(w) }
    : { x: 0, y: -17, rx: 14.5 * w, ry: 17.5 };
  const legs = standing
    ? [-20, -10, 4, 13].map((x) => x * w).map((x) => leg(x, -20, 6.2, t.socks ? fur2 : fur, fur, edge))
    : [-6, 6].map((x) => leg(x, -18, 7, t.socks ? fur2 : fur, fur, edge));
  const haunches = standing ? "" : [-1, 1].map((side) => ellipse(side * 12.5 * w, -4, 7, 4.6, fur, edge)).join("");
  const shape = ellipse(torso.x, torso.y, torso.rx, torso.ry, fur, edge);
  const inside = clipped(
    `${id}b`,
    ellipse(torso.x, torso.y, torso.rx - 0.6, torso.ry - 0.6, fur),
    bodyPattern(t, torso, fur2),
    standing ? "" : ellipse(0, -15, 8.5 * w, 12.5, bib),
    ellipse(torso.x - torso.rx * 0.3, torso.y - torso.ry * 0.55, torso.rx * 0.5, torso.ry * 0.3, "#ffffff", {
      opacity: 0.16,
    }),
  );
  const tailAt: [number, number] = standing ? [torso.x - torso.rx + 2, -28] : [12 * w, -8];
  const body =
    tail(t, tailAt, fur, fur2, standing ? -1 : 1, outline(coat)) +
    legs.slice(0, standing ? 2 : 0).join("") +
    shape +
    inside +
    haunches +
    legs.slice(standing ? 2 : 0).join("");

  const head = {
    x: standing ? torso.x + torso.rx + 1 : random.range(-2, 2),
    y: standing ? -39 : -44,
    rx: 16.5 * t.face,
    ry: 14.2,
  };
  const tilt = random.range(-7, 7);
  const face = [
    ears(t, head, fur, css(paint(t.inner)), edge),
    ellipse(0, 0, head.rx, head.ry, fur, edge),
    clipped(
      `${id}h`,
      ellipse(0, 0, head.rx - 0.6, head.ry - 0.6, fur),
      headPattern(t, head, fur2),
      ellipse(-4, -8, 7, 3.5, "#ffffff", { opacity: 0.18 }),
    ),
    t.ears === "floppy" || t.ears === "folded" ? drooping(t, head, css(darker(coat, 0.1)), edge) : "",
    ellipse(0, 5.6, 8.2 * t.muzzle, 5.6 * t.muzzle, t.pattern === "mask" || t.bib ? fur2 : css(lighter(coat, 0.1))),
    ...[-1, 1].map((side) => eye(side * 6.6 * t.face, -1.6, t.eyes)),
    path("M-2.6 3L2.6 3Q0 6.4 0 6.4Q0 6.4 -2.6 3Z", css(t.nose), {
      stroke: css(t.nose),
      "stroke-width": 1,
      "stroke-linejoin": "round",
    }),
    stroke("M0 6.4L0 8.2M-3 8.6Q-1.4 10 0 8.2Q1.4 10 3 8.6", outline(coat), 0.9),
    ...[-1, 1].map((side) => ellipse(side * 10.6 * t.face, 4, 2.3, 1.5, "#ff8fa0", { opacity: 0.45 })),
    species.whiskers
      ? [-1, 1]
          .map((side) =>
            stroke(`M${side * 8} 5L${side * 18} 3.4M${side * 8} 6.6L${side * 18} 7.6`, "#ffffff", 0.6, {
              opacity: 0.85,
            }),
          )
          .join("")
      : "",
  ];
  const collar = t.collar
    ? stroke(
        `M${head.x - 9} ${head.y + 12.4}Q${head.x} ${head.y + 17} ${head.x + 9} ${head.y + 12.4}`,
        css(t.collar),
        3,
      ) + circle(head.x, head.y + 17, 2.1, css(colour(48, 0.85, 0.55)), { stroke: "#8a6a12", "stroke-width": 0.6 })
    : "";
  return {
    body,
    head: collar + group(`translate(${head.x} ${head.y}) rotate(${tilt.toFixed(1)})`, ...face),
    reach: standing ? 27 * w : 19 * w,
    anchors: { head, torso: standing ? { ...torso } : { ...torso, y: -19 } },
  };
}

const leg = (x: number, top: number, width: number, paw: string, fur: string, edge: object): string =>
  path(
    `M${x - width / 2} ${top}L${x - width / 2} -3Q${x - width / 2} 0 ${x} 0Q${x + width / 2} 0 ${x + width / 2} -3L${x + width / 2} ${top}Z`,
    fur,
    { ...edge },
  ) +
  path(
    `M${x - width / 2 + 0.5} -5L${x - width / 2 + 0.5} -3Q${x - width / 2 + 0.5} -0.5 ${x} -0.5Q${x + width / 2 - 0.5} -0.5 ${x + width / 2 - 0.5} -3L${x + width / 2 - 0.5} -5Z`,
    paw,
  );

const eye = (x: number, y: number, iris: Colour): string =>
  ellipse(x, y, 3, 3.5, "#ffffff", { stroke: "#2a2320", "stroke-width": 0.7 }) +
  circle(x, y + 0.3, 2.4, css(iris)) +
  circle(x, y + 0.3, 1.35, "#14110f") +
  circle(x + 0.9, y - 0.9, 0.8, "#ffffff");

function bodyPattern(
  t: AnimalTraits,
  { x, y, rx, ry }: { x: number; y: number; rx: number; ry: number },
  fur2: string,
): string {
  switch (t.pattern) {
    case "spots":
      return [
        [-0.6, -0.4, 3.8],
        [0.55, -0.55, 3.2],
        [0.7, 0.25, 4.2],
        [-0.75, 0.4, 3.4],
        [0, -0.75, 2.8],
      ]
        .map(([u, v, r]) => circle(x + u! * rx, y + v! * ry, r!, fur2))
        .join("");
    case "stripes":
      return [-0.6, -0.15, 0.3]
        .map((v) =>
          stroke(
            `M${x - rx} ${y + v * ry}L${x - rx * 0.5} ${y + v * ry + 2}M${x + rx} ${y + v * ry}L${x + rx * 0.5} ${y + v * ry + 2}`,
            fur2,
            2.6,
          ),
        )
        .join("");
    case "half":
      return ellipse(x + rx, y - ry * 0.2, rx * 0.95, ry * 1.1, fur2);
    case "patch":
      return ellipse(x + rx * 0.6, y - ry * 0.5, rx * 0.42, ry * 0.4, fur2);
    default:
      return "";
  }
}

function headPattern(t: AnimalTraits, { rx, ry }: { rx: number; ry: number }, fur2: string): string {
  switch (t.pattern) {
    case "spots":
      return (
        circle(-rx * 0.5, -ry * 0.6, 3, fur2) +
        circle(rx * 0.7, -ry * 0.3, 2.6, fur2) +
        circle(rx * 0.25, -ry * 0.8, 2.2, fur2)
      );
    case "stripes":
      return stroke(
        `M0 ${-ry}L0 ${-ry * 0.45}M-4.5 ${-ry}L-3.6 ${-ry * 0.5}M4.5 ${-ry}L3.6 ${-ry * 0.5}M${-rx} 1L${-rx * 0.66} 2M${rx} 1L${rx * 0.66} 2`,
        fur2,
        2,
      );
    case "patch":
      return ellipse(rx * 0.42, -ry * 0.12, rx * 0.38, ry * 0.52, fur2);
    case "half":
      return ellipse(rx * 0.85, 0, rx * 0.85, ry * 1.2, fur2);
    case "mask":
      return ellipse(0, ry * 0.6, rx * 0.8, ry * 0.72, fur2) + ellipse(0, -ry * 0.4, 2.6, ry * 0.7, fur2);
    default:
      return "";
  }
}

function ears(
  t: AnimalTraits,
  { rx, ry }: { rx: number; ry: number },
  fur: string,
  inner: string,
  edge: object,
): string {
  const pair = (one: (side: number) => string) => one(-1) + one(1);
  switch (t.ears) {
    case "pointed":
      return pair(
        (s) =>
          path(`M${s * rx * 0.92} ${-ry * 0.3}L${s * rx * 0.86} ${-ry - 9}L${s * rx * 0.18} ${-ry * 0.8}Z`, fur, {
            ...edge,
            "stroke-linejoin": "round",
          }) +
          path(`M${s * rx * 0.78} ${-ry * 0.55}L${s * rx * 0.78} ${-ry - 4.6}L${s * rx * 0.36} ${-ry * 0.82}Z`, inner),
      );
    case "round":
      return pair(
        (s) => circle(s * rx * 0.72, -ry * 0.82, 6.4, fur, { ...edge }) + circle(s * rx * 0.72, -ry * 0.82, 3.6, inner),
      );
    case "long":
      return pair((s) =>
        group(
          `rotate(${s * 12} ${s * 5} -10)`,
          ellipse(s * 6, -ry - 11, 4.6, 14, fur, { ...edge }) + ellipse(s * 6, -ry - 10, 2.2, 10, inner),
        ),
      );
    default:
      return "";
  }
}

const drooping = (t: AnimalTraits, { rx, ry }: { rx: number; ry: number }, fill: string, edge: object): string =>
  [-1, 1]
    .map((s) =>
      t.ears === "folded"
        ? path(`M${s * rx * 0.25} ${-ry * 0.9}L${s * rx * 0.95} ${-ry * 0.75}L${s * rx * 0.8} ${-ry * 0.15}Z`, fill, {
            ...edge,
            "stroke-linejoin": "round",
          })
        : path(
            `M${s * rx * 0.5} ${-ry * 0.86}Q${s * (rx + 8)} ${-ry * 0.8} ${s * (rx + 3.5)} ${ry * 0.55}Q${s * rx * 0.9} ${ry * 0.85} ${s * rx * 0.74} ${-ry * 0.1}Z`,
            fill,
            { ...edge },
          ),
    )
    .join("");

function tail(
  t: AnimalTraits,
  [x, y]: readonly [number, number],
  fur: string,
  fur2: string,
  side: number,
  edge: string,
): string {
  const line = {
    curl: `M${x} ${y}Q${x + side * 14} ${y + 2} ${x + side * 12} ${y - 9}Q${x + side * 9} ${y - 15} ${x + side * 5} ${y - 9}`,
    long: `M${x} ${y}Q${x + side * 16} ${y + 1} ${x + side * 13} ${y - 20}`,
    stub: `M${x} ${y}L${x + side * 6} ${y - 5}`,
    bushy: `M${x} ${y}Q${x + side * 15} ${y} ${x + side * 14} ${y - 16}`,
  }[t.tail];
  const width = { curl: 4.5, long: 4, stub: 6.5, bushy: 9 }[t.tail];
  const tip =
    t.socks || t.pattern === "mask"
      ? stroke(
          t.tail === "stub"
            ? `M${x + side * 5} ${y - 4}L${x + side * 6} ${y - 5}`
            : `M${x + side * 13.4} ${y - 13}L${x + side * 13.6} ${y - 16}`,
          fur2,
          width,
        )
      : "";
  return stroke(line, edge, width + 2.4) + stroke(line, fur, width) + (t.tail === "curl" ? "" : tip);
}

const species = (of: Species): Subject<AnimalTraits> => ({
  noun: of.noun,
  live: true,
  traits: traitsOf(of),
  draw: (traits, look) => draw(of, traits, look),
});

export const dog = species({
  noun: "dog",
  ears: ["floppy", "folded", "pointed"],
  tails: ["curl", "long", "stub"],
  whiskers: false,
  muzzle: [1.05, 1.4],
});
export const cat = species({
  noun: "cat",
  ears: ["pointed"],
  tails: ["long", "bushy", "curl"],
  whiskers: true,
  muzzle: [0.8, 1],
});
export const rabbit = species({ noun: "rabbit", ears: ["long"], tails: ["stub"], whiskers: true, muzzle: [0.8, 1] });
export const fox = species({
  noun: "fox",
  ears: ["pointed"],
  tails: ["bushy"],
  whiskers: false,
  muzzle: [0.95, 1.15],
  fixed: { pattern: "mask", bib: true, tail: "bushy" },
});
export const bear = species({ noun: "bear", ears: ["round"], tails: ["stub"], whiskers: false, muzzle: [1, 1.25] });
