/** Channels to pixels and back, and channels repeated or averaged. */
import { type Dim, floorDivide, multiplyDims } from "../dim.ts";
import type { Value } from "../value.ts";
import { concat, reshape, transpose } from "./layout.ts";
import { mean } from "./mean.ts";

/** x [batch, 4 c, h, w] to [batch, c, 2 h, 2 w]: channel 4 i + 2 dy + dx becomes pixel (dy, dx) of each 2x2 square of channel i. */
export function pixelShuffle(x: Value): Value {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const squares = transpose(reshape(x, [batch, channels / 4, 2, 2, height, width]), [0, 1, 4, 2, 5, 3]);
  return reshape(squares, [batch, channels / 4, multiplyDims(height, 2), multiplyDims(width, 2)]);
}

/** The inverse of {@link pixelShuffle}, for even sides. */
export function pixelUnshuffle(x: Value): Value {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const [rows, columns] = [floorDivide(height, 2), floorDivide(width, 2)];
  const squares = transpose(reshape(x, [batch, channels, rows, 2, columns, 2]), [0, 1, 3, 5, 2, 4]);
  return reshape(squares, [batch, channels * 4, rows, columns]);
}

/** x [batch, c, h, w] with each channel repeated `times` times in a row. */
export function repeatChannels(x: Value, times: number): Value {
  if (times === 1) return x;
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const one = reshape(x, [batch, channels, 1, height, width]);
  return reshape(concat(Array(times).fill(one), 2), [batch, channels * times, height, width]);
}

/** Means of groups of `count` consecutive channels of x [batch, c, h, w]: [batch, c / count, h, w]. */
export function averageChannels(x: Value, count: number): Value {
  if (count === 1) return x;
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  return mean(reshape(x, [batch, channels / count, count, height, width]), [2]);
}
