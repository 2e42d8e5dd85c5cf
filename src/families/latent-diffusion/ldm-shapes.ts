/** Reads sizes off the tensor shapes of an LDM single file. */
import type { TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";

/**
 * The length of one axis of a tensor.
 *
 * @throws TillerError if the tensor is missing, naming it in Diffusers' spelling, or has no such axis, giving its shape.
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

/** How many consecutive numbers from 0 give an existing key in place of `#` in `pattern`. */
export function count(weights: Checkpoint, pattern: string): number {
  let n = 0;
  while (weights.has(pattern.replace("#", String(n)))) n++;
  return n;
}

/** The tensors whose key has the prefix, without it. */
export function under(tensors: Checkpoint, prefix: string): Checkpoint {
  const found = new Map<string, TensorRef>();
  for (const [key, ref] of tensors) if (key.startsWith(prefix)) found.set(key.slice(prefix.length), ref);
  return found;
}
