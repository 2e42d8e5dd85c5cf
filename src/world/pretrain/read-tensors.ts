/** A checkpoint's tensors in memory, as training changes them. */
import { float32, type Tensor } from "../../runtime/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import { readFloat32 } from "../../weights/safetensors.ts";

export async function readTensors(weights: Checkpoint): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const [name, ref] of weights) tensors.set(name, float32(ref.shape, await readFloat32(ref)));
  return tensors;
}
