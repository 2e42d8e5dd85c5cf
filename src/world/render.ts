/** Pictures of the world: an individual under a theme, as SVG and as pixels. */
import { Resvg } from "@resvg/resvg-js";
import { type Random, randomOf } from "./random.ts";
import type { Setting } from "./scenes/scene.ts";
import { type AnySubject, type Figure, subjects } from "./subjects/index.ts";
import { ellipse, group } from "./svg.ts";
import { everydayPlaces, type Theme } from "./world.ts";

/** An individual: always drawn with the same traits. */
export interface Individual {
  /** A key of `subjects`. */
  readonly noun: string;
  readonly traits: unknown;
}

/** A picture's side in pixels. */
export const side = 128;

/** The individual of a kind for a seed. */
export const individualOf = (noun: string, seed: number): Individual => ({
  noun,
  traits: subjectOf(noun).traits(randomOf("individual", noun, seed)),
});

export function subjectOf(noun: string): AnySubject {
  const subject = subjects.get(noun);
  if (!subject) throw new RangeError(`the world has no ${noun}`);
  return subject;
}

/** Draws the individual under a theme, or else in an everyday place. `seed` decides pose, place and light. */
export function render(individual: Individual, theme: Theme | undefined, seed: number): string {
  const random = randomOf("picture", individual.noun, seed);
  const place = theme?.kind === "scene" ? theme.scene.draw : random.pick(everydayPlaces);
  const setting = place(random);
  const state = theme?.kind === "state" ? theme.state : undefined;
  const figure = subjectOf(individual.noun).draw(individual.traits, { paint: state?.paint ?? ((c) => c), random });
  const clothes = theme?.kind === "outfit" && figure.anchors ? theme.outfit.wear(figure.anchors, "o") : {};
  const drawn =
    figure.body + (clothes.body ?? "") + figure.head + (clothes.head ?? "") + (state?.over(figure, random) ?? "");
  return svg(setting.behind + standing(drawn, figure, setting, random) + (setting.before ?? ""));
}

const svg = (content: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}" viewBox="0 0 ${side} ${side}">${content}</svg>`;

/** Places the subject in the scene, slightly shifted, scaled, perhaps mirrored. */
function standing(
  drawn: string,
  { reach }: Figure,
  { ground, scale = 1, shadow = true, mirrored }: Setting,
  random: Random,
): string {
  const size = scale * random.range(1.18, 1.42);
  const room = Math.max(0, 64 - (reach + 8) * size);
  const x = 64 + random.range(-1, 1) * Math.min(16, room);
  const y = ground + random.range(-2, 3);
  const turn = random.chance(0.5) ? -1 : 1;
  const at = (content: string, up = 1) =>
    group(
      `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${(turn * size).toFixed(3)} ${(up * size).toFixed(3)})`,
      content,
    );
  const below = shadow ? ellipse(x, y, reach * size * 1.05, 3.6 * size, "#1a1420", { opacity: 0.22 }) : "";
  const image =
    mirrored === undefined
      ? ""
      : `<g opacity="${mirrored}">${at(drawn, -0.55).replaceAll('id="c', 'id="m').replaceAll("url(#c", "url(#m")}</g>`;
  return below + image + at(drawn);
}

/** RGB bytes, row by row. */
export function rasterize(drawing: string, size = side): Uint8Array {
  const { pixels } = new Resvg(drawing, {
    fitTo: { mode: "width", value: size },
    font: { loadSystemFonts: false },
  }).render();
  const rgb = new Uint8Array(size * size * 3);
  for (let i = 0; i < size * size; i++) {
    rgb[3 * i] = pixels[4 * i]!;
    rgb[3 * i + 1] = pixels[4 * i + 1]!;
    rgb[3 * i + 2] = pixels[4 * i + 2]!;
  }
  return rgb;
}
