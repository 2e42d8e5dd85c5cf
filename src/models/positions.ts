/** Resizes a vision transformer's position embeddings for pictures that are not of the training size. */
import { concat, constant, matmul, reshape, slice, type Value } from "../graph/index.ts";

/**
 * Positions [1, 1 + to^2, width] from [1, 1 + from^2, width]: the class token's is kept, the others are interpolated on their
 * grid as in DINO (bicubic with a = -3/4, scale (to + 0.1) / from).
 */
export function resizedPositions(positions: Value, from: number, to: number): Value {
  const width = positions.shape[2] as number;
  const squares = reshape(slice(positions, 1, 1, 1 + from * from), [from * from, width]);
  const spread = matmul(constant([to * to, from * from], spreading(from, to)), squares); // [to * to, width]
  return concat([slice(positions, 1, 0, 1), reshape(spread, [1, to * to, width])], 1);
}

/** Interpolation weights [to * to, from * from], grids in row-major order. */
export function spreading(from: number, to: number): Float32Array {
  const line = Array.from({ length: to }, (_, i) => shares(((i + 0.5) * from) / (to + 0.1) - 0.5, from));
  const matrix = new Float32Array(to * to * from * from);
  for (let row = 0; row < to; row++) {
    for (let column = 0; column < to; column++) {
      for (let y = 0; y < from; y++) {
        for (let x = 0; x < from; x++) {
          matrix[((row * to + column) * from + y) * from + x] = line[row]![y]! * line[column]![x]!;
        }
      }
    }
  }
  return matrix;
}

/** Interpolation weights of `count` points on a line at a position between them; the end points repeat beyond the ends. */
function shares(at: number, count: number): number[] {
  const found = Array<number>(count).fill(0);
  const first = Math.floor(at) - 1;
  for (let k = first; k < first + 4; k++) {
    found[Math.min(count - 1, Math.max(0, k))]! += keys(at - k);
  }
  return found;
}

/** Keys's cubic kernel with a = -3/4, as in PyTorch. */
function keys(distance: number): number {
  const a = -0.75;
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}
