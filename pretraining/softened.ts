/**
 * Makes pictures about as soft as a small autoencoder's: wavering outlines, mottled colours, blur. A network that only knows the
 * world's crisp pictures misreads such pictures, taking a robot for a vase.
 */

import { normalValues, randomStream } from "../src/random/streams.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";
import { side } from "../src/world/render.ts";
import type { Stage } from "./stage.ts";

/** Pixels between the nodes of error fields, which are smooth in between. */
const spacing = 4;
const cells = side / spacing;
/** The maximum softness: standard deviations of outlines in pixels, of colours in -1..1, and of the blur in pixels. */
const most = { waver: 1.5, mottle: 0.12, blur: 2 };
/** Share of pictures that stay unchanged. */
const crisp = 0.25;

export interface Softness {
  readonly waver: number;
  readonly mottle: number;
  readonly blur: number;
}

/** A stage's batches with softened pictures. */
export const softFeeds =
  (feeds: Stage["feeds"]): Stage["feeds"] =>
  async (draw) => {
    const batch = await feeds(draw);
    return { ...batch, picture: softened(batch.picture!, draw) };
  };

/** Softens three in four of the pictures [count, 3, 128, 128], each by its own amount, determined by the draw's index. */
export function softened({ shape, data }: Tensor, draw: number): Tensor {
  const [count, size] = [shape[0]!, 3 * side * side];
  const result = new Float32Array(data as Float32Array);
  for (let i = 0; i < count; i++) {
    const number = draw * count + i;
    const random = randomStream(7, "softness", number);
    if (random.uniform() < crisp) continue;
    const softness = {
      waver: most.waver * random.uniform(),
      mottle: most.mottle * random.uniform(),
      blur: most.blur * random.uniform(),
    };
    result.set(softenedPicture(result.subarray(i * size, (i + 1) * size), softness, number), i * size);
  }
  return float32([...shape], result);
}

/** Softens one picture's planes in -1..1, [3, 128, 128]; `number` seeds the errors. */
export function softenedPicture(planes: Float32Array, { waver, mottle, blur }: Softness, number: number): Float32Array {
  const nodes = (cells + 1) ** 2;
  const errors = normalValues(7, "errors", number, 5 * nodes);
  const field = (index: number) => smooth(errors.subarray(index * nodes, (index + 1) * nodes));
  const [right, down] = [field(0), field(1)];
  const result = new Float32Array(planes.length);
  for (let channel = 0; channel < 3; channel++) {
    const plane = planes.subarray(channel * side * side, (channel + 1) * side * side);
    const colours = field(2 + channel);
    const moved = plane.map((_, i) => {
      const [x, y] = [(i % side) + waver * right[i]!, Math.floor(i / side) + waver * down[i]!];
      return Math.max(-1, Math.min(1, valueAt(plane, side, x, y) + mottle * colours[i]!));
    });
    result.set(blurred(moved, blur), channel * side * side);
  }
  return result;
}

/** Interpolates the (cells + 1)^2 node values to every pixel. */
function smooth(nodes: Float32Array): Float32Array {
  const field = new Float32Array(side * side);
  for (let i = 0; i < field.length; i++) {
    field[i] = valueAt(nodes, cells + 1, (i % side) / spacing, Math.floor(i / side) / spacing);
  }
  return field;
}

/** Bilinear lookup in a square, clamped at its edges. */
function valueAt(square: Float32Array, size: number, x: number, y: number): number {
  const [cx, cy] = [Math.max(0, Math.min(size - 1, x)), Math.max(0, Math.min(size - 1, y))];
  const [left, top] = [Math.min(size - 2, Math.floor(cx)), Math.min(size - 2, Math.floor(cy))];
  const [fx, fy] = [cx - left, cy - top];
  const at = top * size + left;
  const upper = square[at]! * (1 - fx) + square[at + 1]! * fx;
  const lower = square[at + size]! * (1 - fx) + square[at + size + 1]! * fx;
  return upper * (1 - fy) + lower * fy;
}

/** A plane blurred by a Gaussian with that standard deviation. */
function blurred(plane: Float32Array, deviation: number): Float32Array {
  if (deviation < 0.1) return plane;
  const reach = Math.ceil(3 * deviation);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / deviation) ** 2));
  const total = weights.reduce((a, b) => a + b);
  return along(along(plane, 1, side), side, 1);

  /** Applies the Gaussian along steps of `stride`, for lines `across` apart. */
  function along(values: Float32Array, stride: number, across: number): Float32Array {
    const result = new Float32Array(values.length);
    for (let line = 0; line < side; line++) {
      for (let i = 0; i < side; i++) {
        let sum = 0;
        for (let k = -reach; k <= reach; k++) {
          const at = Math.max(0, Math.min(side - 1, i + k));
          sum += weights[k + reach]! * values[line * across + at * stride]!;
        }
        result[line * across + i * stride] = sum / total;
      }
    }
    return result;
  }
}
