/**
 * Runs an autoencoder tile by tile, so that memory does not grow with the picture; as in Diffusers' enable_tiling.
 *
 * Tiles overlap. Over the overlap a tile fades in over the one above it, then over the one to its left. Every tile is normalised
 * and attends by itself, so a picture differs slightly from one decoded whole.
 */
import type { Tensor } from "../runtime/index.ts";

/** Square tiles in units of latents. */
export interface Tiles {
  /** Side of a tile. */
  readonly size: number;
  /** Distance between the beginnings of two tiles. */
  readonly stride: number;
}

/** Whether something of this size is cut into tiles at all. */
export const isTiled = (height: number, width: number, { size }: Tiles): boolean => height > size || width > size;

/**
 * The result of `run` on each tile of `whole` [1, channels, h, w], put together.
 *
 * @param tiles In elements of `whole`.
 * @param scale Result elements per element of `whole`, along one side: 8 or 32 when decoding, 1/8 or 1/32 when encoding.
 */
export async function inTiles(
  whole: Tensor,
  { size, stride }: Tiles,
  scale: number,
  run: (tile: Tensor) => Promise<Tensor>,
): Promise<Tensor> {
  const [, , height, width] = whole.shape as [number, number, number, number];
  const [step, blend] = [stride * scale, (size - stride) * scale];
  let result: Tensor | undefined;
  let above: Tensor[] = [];
  for (let top = 0; top < height; top += stride) {
    const row: Tensor[] = [];
    for (let left = 0; left < width; left += stride) {
      const tile = await run(cut(whole, top, left, Math.min(size, height - top), Math.min(size, width - left)));
      const [upper, before] = [above[row.length], row.at(-1)];
      if (upper) fadeDown(upper, tile, blend);
      if (before) fadeRight(before, tile, blend);
      row.push(tile);
      result ??= empty([1, tile.shape[1]!, height * scale, width * scale]);
      paste(tile, result, top * scale, left * scale, step);
    }
    above = row;
  }
  return result!;
}

const empty = (shape: readonly number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

/** The rows of a picture's channels, as places in its data. */
function* linesOf({ shape }: Tensor, rows: number): Generator<{ channel: number; y: number; at: number }> {
  const [, channels, height, width] = shape as [number, number, number, number];
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < rows; y++) yield { channel, y, at: (channel * height + y) * width };
  }
}

function cut(whole: Tensor, top: number, left: number, height: number, width: number): Tensor {
  const [, channels, fullHeight, fullWidth] = whole.shape as [number, number, number, number];
  const tile = empty([1, channels, height, width]);
  for (const { channel, y, at } of linesOf(tile, height)) {
    const from = (channel * fullHeight + top + y) * fullWidth + left;
    tile.data.set(whole.data.subarray(from, from + width), at);
  }
  return tile;
}

/** Copies at most `side` rows and columns of a tile. */
function paste(tile: Tensor, whole: Tensor, top: number, left: number, side: number): void {
  const [, , height, width] = tile.shape as [number, number, number, number];
  const [, , fullHeight, fullWidth] = whole.shape as [number, number, number, number];
  for (const { channel, y, at } of linesOf(tile, Math.min(side, height))) {
    const to = (channel * fullHeight + top + y) * fullWidth + left;
    whole.data.set(tile.data.subarray(at, at + Math.min(side, width)), to);
  }
}

/** The first rows of `tile` fade in over the last rows of the tile above it. */
function fadeDown(above: Tensor, tile: Tensor, blend: number): void {
  const [, , aboveHeight, width] = above.shape as [number, number, number, number];
  const rows = Math.min(blend, aboveHeight, tile.shape[2]!);
  for (const { channel, y, at } of linesOf(tile, rows)) {
    const from = (channel * aboveHeight + aboveHeight - rows + y) * width;
    for (let x = 0; x < width; x++) tile.data[at + x] = mixed(above.data[from + x]!, tile.data[at + x]!, y / rows);
  }
}

/** The first columns of `tile` fade in over the last columns of the tile to its left. */
function fadeRight(before: Tensor, tile: Tensor, blend: number): void {
  const [, , height, beforeWidth] = before.shape as [number, number, number, number];
  const columns = Math.min(blend, beforeWidth, tile.shape[3]!);
  for (const { channel, y, at } of linesOf(tile, tile.shape[2]!)) {
    const from = (channel * height + y) * beforeWidth + beforeWidth - columns;
    for (let x = 0; x < columns; x++)
      tile.data[at + x] = mixed(before.data[from + x]!, tile.data[at + x]!, x / columns);
  }
}

const mixed = (before: number, now: number, share: number): number => before * (1 - share) + now * share;
