/** Reads a checkpoint's tensors into memory for training. */

import { readFloat32 } from "../src/bytes/safetensors.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";

export async function readTensors(weights: Checkpoint): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const [name, ref] of weights) tensors.set(name, float32(ref.shape, await readFloat32(ref)));
  return tensors;
}
