/** What the shapes of an LDM single file say. */
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";

/**
 * The length of one axis of a tensor.
 *
 * @throws TillerError naming the tensor the file lacks, by its Diffusers name, or its shape if it has no such axis.
 */
export function size(weights: Checkpoint, key: string, axis: number, file: string): number {
  const ref = weights.get(key);
  if (!ref)
    throw new TillerError("tensor-missing", `${file} is incomplete: it has no tensor for ${key}.`, { paths: [file] });
  const length = ref.shape[axis];
  if (length === undefined)
    throw new TillerError("tensor-shape", `${file}: ${ref.name} has shape [${ref.shape.join(", ")}], too few axes.`, {
      paths: [file],
    });
  return length;
}

/** How many of 0, 1, 2, … occur in the place of `#` in `pattern`, from 0 without a gap. */
export function count(weights: Checkpoint, pattern: string): number {
  let n = 0;
  while (weights.has(pattern.replace("#", String(n)))) n++;
  return n;
}
