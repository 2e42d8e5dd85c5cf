/**
 * Custom Diffusion's augmentation: the picture is shrunk onto an empty canvas or enlarged and cropped, and the prompt says so.
 *
 * In 66 of 100 draws a picture is scaled to between a third and all of its size, in the others by 1.2 to 1.4. Pictures arrive
 * square, so unlike the reference's they are not distorted.
 */

import type { Planes } from "../../images/pixels.ts";
import { tapsOf } from "../../images/resample.ts";
import type { RandomStream } from "../../random/streams.ts";

/** Prefixes of the prompt, by what was done to the picture. */
const words = { none: [""], smaller: ["a far away ", "very small "], larger: ["zoomed in ", "close up "] } as const;
export const augmentationWords: readonly string[] = Object.values(words).flat();

export interface Augmented {
  readonly planes: Planes;
  /** Prefix of the prompt, with its trailing space; mostly "". */
  readonly words: string;
  /** 1 at latent pixels that count in the loss, row by row. */
  readonly mask: Float32Array;
}

/** One draw. `pixelsPerLatent` is the side of the mask's cells. */
export function augment(picture: Planes, pixelsPerLatent: number, random: RandomStream): Augmented {
  const { size } = picture;
  const third = Math.floor(size / 3);
  const enlarged = Math.floor(1.2 * size);
  const scale =
    random.uniform() < 0.66
      ? third + random.integer(size + 1 - third)
      : enlarged + random.integer(Math.max(1, Math.floor(1.4 * size) - enlarged));
  const free = Math.abs(scale - size) + 1;
  const [top, left] = [random.integer(free), random.integer(free)];
  const choices = words[scale < 0.6 * size ? "smaller" : scale > size ? "larger" : "none"];
  const said = choices[random.integer(choices.length)]!;
  const cells = Math.floor(size / pixelsPerLatent);
  const resized = resize(picture, scale);
  if (scale > size) {
    return { planes: cut(resized, size, top, left), words: said, mask: new Float32Array(cells * cells).fill(1) };
  }
  return {
    planes: place(resized, size, top, left),
    words: said,
    mask: maskOf(cells, pixelsPerLatent, scale, top, left),
  };
}

/** The cells that the picture covers, minus one on each side; at least one cell, so that there is a loss. */
function maskOf(cells: number, pixelsPerLatent: number, scale: number, top: number, left: number): Float32Array {
  const range = (start: number): [number, number] => {
    const from = Math.min(cells - 1, Math.floor(start / pixelsPerLatent) + 1);
    return [from, Math.max(from + 1, Math.floor((start + scale) / pixelsPerLatent) - 1)];
  };
  const [[y0, y1], [x0, x1]] = [range(top), range(left)];
  const mask = new Float32Array(cells * cells);
  for (let y = y0; y < y1; y++) mask.fill(1, y * cells + x0, y * cells + x1);
  return mask;
}

function place({ size: inner, data }: Planes, size: number, top: number, left: number): Planes {
  const canvas = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < inner; y++) {
      const from = (channel * inner + y) * inner;
      canvas.set(data.subarray(from, from + inner), (channel * size + top + y) * size + left);
    }
  }
  return { size, data: canvas };
}

function cut({ size: outer, data }: Planes, size: number, top: number, left: number): Planes {
  const window = new Float32Array(3 * size * size);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < size; y++) {
      const from = (channel * outer + top + y) * outer + left;
      window.set(data.subarray(from, from + size), (channel * size + y) * size);
    }
  }
  return { size, data: window };
}

/** Resizes bilinearly like PIL, in floating point: rows, then columns. */
function resize({ size, data }: Planes, to: number): Planes {
  if (to === size) return { size, data };
  const taps = tapsOf(size, to, "bilinear");
  const wide = new Float32Array(3 * size * to);
  for (let row = 0; row < 3 * size; row++) {
    for (const [x, { first, weights }] of taps.entries()) {
      let sum = 0;
      for (const [i, weight] of weights.entries()) sum += weight * data[row * size + first + i]!;
      wide[row * to + x] = sum;
    }
  }
  const resized = new Float32Array(3 * to * to);
  for (let channel = 0; channel < 3; channel++) {
    for (const [y, { first, weights }] of taps.entries()) {
      for (let x = 0; x < to; x++) {
        let sum = 0;
        for (const [i, weight] of weights.entries()) sum += weight * wide[(channel * size + first + i) * to + x]!;
        resized[(channel * to + y) * to + x] = sum;
      }
    }
  }
  return { size: to, data: resized };
}
