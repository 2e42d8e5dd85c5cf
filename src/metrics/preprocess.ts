/** Preprocesses pictures for the metrics' encoders, like the reference processors. */

import { z } from "zod";
import { exists, join } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import type { Pixels } from "../images/pixels.ts";
import { resized } from "../images/resample.ts";
import { float32, type Tensor } from "../runtime/index.ts";

export interface Preprocessing {
  /** The whole picture is first resized to a square of this side, whatever its shape (bicubic). */
  readonly square?: number;
  /** The shorter side is resized to this (bicubic). */
  readonly resize: number;
  /** The side of the centre crop. */
  readonly crop: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** OpenAI's CLIP. */
export const clipPreprocessing = (size: number): Preprocessing => ({
  resize: size,
  crop: size,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
});

/** DINO's evaluation: resize to 256, crop to 224, ImageNet's mean and standard deviation; in proportion for other sizes. */
export const dinoPreprocessing = (size: number): Preprocessing => ({
  resize: Math.round((size * 256) / 224),
  crop: size,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
});

/** The whole picture as a square, with CLIP's or ImageNet's mean and standard deviation: DreamSim's. */
export const squarePreprocessing = (size: number, of: "clip" | "imagenet"): Preprocessing => {
  const { mean, std } = of === "clip" ? clipPreprocessing(size) : dinoPreprocessing(size);
  return { square: size, resize: size, crop: size, mean, std };
};

/** DreamMatcher's evaluation first resizes to a square of 256, which DINO takes as it is, in -1 to 1. */
export const dreamMatcherClip = (usual: Preprocessing): Preprocessing => ({ ...usual, square: 256 });
export const dreamMatcherDino = (size: number): Preprocessing => ({
  square: size,
  resize: size,
  crop: size,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
});

const side = z.union([
  z.number(),
  z.object({ shortest_edge: z.number() }).transform((s) => s.shortest_edge),
  z.object({ height: z.number(), width: z.number() }).transform((s) => s.height),
]);
const schema = z.looseObject({
  size: side.optional(),
  crop_size: side.optional(),
  image_mean: z.array(z.number()).length(3).optional(),
  image_std: z.array(z.number()).length(3).optional(),
});

/**
 * The settings of the folder's preprocessor_config.json, else `usual`. If it has no crop, as for ViTs, the usual sizes are kept:
 * the protocol resizes and crops.
 */
export async function preprocessingOf(folder: string, usual: Preprocessing): Promise<Preprocessing> {
  const file = join(folder, "preprocessor_config.json");
  if (!(await exists(file))) return usual;
  const { size, crop_size, image_mean, image_std } = await readJson(file, schema);
  return {
    resize: crop_size === undefined ? usual.resize : (size ?? usual.resize),
    crop: crop_size ?? usual.crop,
    mean: image_mean ?? usual.mean,
    std: image_std ?? usual.std,
  };
}

/** Pictures [batch, 3, crop, crop]. */
export function preprocess(pictures: readonly Pixels[], { square, resize, crop, mean, std }: Preprocessing): Tensor {
  const pixels = crop * crop;
  const data = new Float32Array(pictures.length * 3 * pixels);
  for (const [p, given] of pictures.entries()) {
    const picture = square === undefined ? given : resized(given, { width: square, height: square }, "bicubic");
    const { width, height, data: bytes } = resized(picture, cover(picture, resize), "bicubic");
    const [left, top] = [Math.floor((width - crop) / 2), Math.floor((height - crop) / 2)];
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < pixels; i++) {
        const [x, y] = [left + (i % crop), top + Math.floor(i / crop)];
        const value = bytes[(y * width + x) * 3 + channel]! / 255;
        data[(p * 3 + channel) * pixels + i] = (value - mean[channel]!) / std[channel]!;
      }
    }
  }
  return float32([pictures.length, 3, crop, crop], data);
}

/** The size whose shorter side is `size` and whose longer side is in proportion, rounded down. */
const cover = ({ width, height }: Pixels, size: number) =>
  width < height
    ? { width: size, height: Math.floor((size * height) / width) }
    : { width: Math.floor((size * width) / height), height: size };
