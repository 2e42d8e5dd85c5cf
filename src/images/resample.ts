/** Resizes like PIL: the kernel widens with the reduction, and its weights are normalised to sum to 1. */

import type { Pixels } from "./pixels.ts";

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A kernel: half its width, and its value at a distance from the centre. */
interface Kernel {
  readonly support: number;
  readonly at: (distance: number) => number;
}

const kernels = {
  bilinear: { support: 1, at: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  /** Catmull-Rom, a = -1/2. */
  bicubic: {
    support: 2,
    at(x: number) {
      const d = Math.abs(x);
      if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
      return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
    },
  },
  lanczos: {
    support: 3,
    at: (x: number) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0),
  },
} satisfies Readonly<Record<string, Kernel>>;

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

export type KernelName = keyof typeof kernels;

/** The inputs of an output pixel: the first input pixel, and the weights from there on. */
export interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** A part of a row or column, in pixels, which may be fractional. */
interface Part {
  readonly at: number;
  readonly length: number;
}

/** The taps for each pixel when resizing a row from `from` pixels, or the `part` of it, to `to` pixels. */
export function tapsOf(
  from: number,
  to: number,
  name: KernelName,
  { at, length }: Part = { at: 0, length: from },
): Taps[] {
  const kernel = kernels[name];
  const scale = length / to;
  const stretch = Math.max(1, scale);
  const reach = kernel.support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = at + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => kernel.at((first + k + 0.5 - centre) / stretch));
    const total = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((w) => w / total) };
  });
}

/**
 * Resizes a picture, or a part of it, equal to PIL's `resize` within 1/255: rows first, then columns, rounding in between.
 *
 * @param part The whole picture by default; pixels around it take part where the kernel reaches them, as in PIL.
 */
export function resized(
  { width, height, data }: Pixels,
  to: Size,
  kernel: KernelName,
  part?: { readonly across: Part; readonly down: Part },
): Pixels {
  const rows = new Uint8ClampedArray(to.width * height * 3);
  for (const [x, { first, weights }] of tapsOf(width, to.width, kernel, part?.across).entries()) {
    for (let y = 0; y < height; y++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * data[(y * width + first + k) * 3 + channel]!;
        rows[(y * to.width + x) * 3 + channel] = Math.floor(sum + 0.5); // halves up, as PIL
      }
    }
  }
  const result = new Uint8ClampedArray(to.width * to.height * 3);
  const stride = to.width * 3;
  for (const [y, { first, weights }] of tapsOf(height, to.height, kernel, part?.down).entries()) {
    for (let at = 0; at < stride; at++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * rows[(first + k) * stride + at]!;
      result[y * stride + at] = Math.floor(sum + 0.5);
    }
  }
  return { width: to.width, height: to.height, data: new Uint8Array(result.buffer) };
}

/** The size whose shorter side is `size` and whose longer side is in proportion, rounded down. */
export const coverSize = ({ width, height }: Size, size: number) =>
  width < height
    ? { width: size, height: Math.floor((size * height) / width) }
    : { width: Math.floor((size * width) / height), height: size };
