/** Pictures of the world for training and evaluation, by index: endless ones, and held-out ones. */

import { planesOf } from "../src/images/pixels.ts";
import { randomStream } from "../src/random/streams.ts";
import { captionOf } from "../src/world/captions.ts";
import { type Individual, individualOf, rasterize, render, side, subjectOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { themesOf } from "../src/world/world.ts";

export interface WorldSample {
  readonly individual: Individual;
  /** The theme's name; undefined for an everyday place. */
  readonly theme: string | undefined;
  readonly caption: string;
  /** The seed of pose and place. */
  readonly seed: number;
}

const nouns = [...subjects.keys()];
/** Seeds of training pictures are below this, those of held-out ones above. */
export const heldOutFrom = 2 ** 30;

/** The sample with an index: a random individual, in nine of ten cases under a random theme. */
export function worldSample(number: number, set: "training" | "held out"): WorldSample {
  const random = randomStream(set === "training" ? 1 : 2, "world", number);
  const offset = set === "training" ? 0 : heldOutFrom;
  const noun = nouns[random.integer(nouns.length)]!;
  const individual = individualOf(noun, offset + random.integer(heldOutFrom));
  const names = [...themesOf(subjectOf(noun)).keys()];
  const theme = random.uniform() < 0.9 ? names[random.integer(names.length)] : undefined;
  const seed = offset + random.integer(heldOutFrom);
  const caption = captionOf(noun, theme === undefined ? undefined : themesOf(subjectOf(noun)).get(theme), seed);
  return { individual, theme, caption, seed };
}

/** The sample's picture, RGB bytes, 128 x 128. */
export function pictureOfSample({ individual, theme, seed }: WorldSample): Uint8Array {
  const themes = themesOf(subjectOf(individual.noun));
  return rasterize(render(individual, theme === undefined ? undefined : themes.get(theme), seed));
}

/** The sample's pixels in -1..1, [3, 128, 128]. */
export const planesOfSample = (sample: WorldSample): Float32Array => planesOf(pictureOfSample(sample), side).data;

/** The pixels of several samples as one tensor's data. */
export function planesOfSamples(samples: readonly WorldSample[]): Float32Array {
  const size = 3 * side * side;
  const data = new Float32Array(samples.length * size);
  for (const [i, sample] of samples.entries()) data.set(planesOfSample(sample), i * size);
  return data;
}
