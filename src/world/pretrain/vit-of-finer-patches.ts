/** A ViT whose patches have half the side, from one that has learned: what it sees is the picture at twice its size. */
import { spreading } from "../../models/positions.ts";
import type { ViTConfig } from "../../models/vit.ts";
import { float32, type Tensor } from "../../runtime/index.ts";

const kernelName = "embeddings.patch_embeddings.projection.weight";
const positionsName = "embeddings.position_embeddings";

/**
 * The kernel gives for a patch what it gave for the patch at twice its size (FlexiViT, Beyer et al. 2023, of which this is the
 * exact case); positions are interpolated.
 */
export function vitOfFinerPatches(
  tensors: ReadonlyMap<string, Tensor>,
  { image_size: side, patch_size: size, hidden_size: width }: ViTConfig,
): Map<string, Tensor> {
  const half = size / 2;
  const [kernel, positions] = [kernelName, positionsName].map((name) => tensors.get(name)!.data as Float32Array);
  const fewer = side / size;
  const more = fewer * 2;
  const places = product(spreading(fewer, more), positions!.subarray(width), more * more, fewer * fewer, width);
  return new Map([
    ...tensors,
    [
      kernelName,
      float32([width, 3, half, half], product(kernel!, spreading(half, size), width * 3, size * size, half * half)),
    ],
    [positionsName, float32([1, 1 + more * more, width], [...positions!.subarray(0, width), ...places])],
  ]);
}

/** The matrix [rows, columns] of a [rows, inner] and b [inner, columns]. */
function product(a: Float32Array, b: Float32Array, rows: number, inner: number, columns: number): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[row * inner + k]!;
      for (let column = 0; column < columns; column++)
        result[row * columns + column]! += factor * b[k * columns + column]!;
    }
  }
  return result;
}
