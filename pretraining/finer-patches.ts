/** Halves the patch side of a trained vision transformer, as if it saw the picture at twice its size. */
import { spreading } from "../src/models/positions.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";

/** The checkpoint's keys of the patch kernel, [width, 3, size, size], and the position embeddings, [..., 1 + patches, width]. */
export interface PatchTensors {
  readonly kernel: string;
  readonly positions: string;
}

/** Side of the picture and of a patch in pixels, and the tokens' width. */
export interface PatchSizes {
  readonly image_size: number;
  readonly patch_size: number;
  readonly hidden_size: number;
}

/**
 * The tensors with these two changed: the kernel gives for a patch what it gave for the patch at twice its size (an exact case of
 * FlexiViT, Beyer et al. 2023); positions are interpolated.
 */
export function finerPatches(
  tensors: ReadonlyMap<string, Tensor>,
  names: PatchTensors,
  { image_size: side, patch_size: size, hidden_size: width }: PatchSizes,
): Map<string, Tensor> {
  const data = (name: string) => tensors.get(name)!.data as Float32Array;
  const half = size / 2;
  const kernel = product(data(names.kernel), spreading(half, size), [width * 3, size * size, half * half]);
  const before = data(names.positions);
  const fewer = side / size;
  const more = fewer * 2;
  const places = product(spreading(fewer, more), before.subarray(width), [more * more, fewer * fewer, width]);
  const positions = new Float32Array(width + places.length);
  positions.set(before.subarray(0, width));
  positions.set(places, width);
  const leading = tensors.get(names.positions)!.shape.slice(0, -2);
  return new Map([
    ...tensors,
    [names.kernel, float32([width, 3, half, half], kernel)],
    [names.positions, float32([...leading, 1 + more * more, width], positions)],
  ]);
}

/** The matrix [rows, columns] of a [rows, inner] and b [inner, columns]. */
function product(a: Float32Array, b: Float32Array, [rows, inner, columns]: [number, number, number]): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[row * inner + k]!;
      for (let i = 0; i < columns; i++) result[row * columns + i]! += factor * b[k * columns + i]!;
    }
  }
  return result;
}
