/** Blends a full fine-tune with its pre-trained model: the checkpoint is written once, then memory-mapped. */

import { holdComputable } from "../bytes/computable.ts";
import { fromFloat32, isFloat, toFloat32 } from "../bytes/elements.ts";
import { readBytes, readSafetensors, type TensorData, writeSafetensors } from "../bytes/safetensors.ts";
import { bytesPerElement, type TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Elements mixed at a time: about 16 MB for each buffer in flight, whatever the tensors' size. */
const pieceLength = 1 << 22;

/**
 * Writes theta_omega = omega theta_ft + (1 - omega) theta_pre to one safetensors file and opens it [paper, section 4: full
 * fine-tunes such as Diffusion-DPO]. Mixed in float32, piece by piece, and stored in the fine-tuned tensor's dtype.
 * Integer tensors are taken from the fine-tuned checkpoint.
 *
 * @param omega Usually 0 (pre-trained) to 1 (fine-tuned); any finite number.
 * @throws TillerError if the two do not have the same keys and shapes, or `file` cannot be written; or if omega is
 *   not finite.
 */
export async function blendCheckpoints(
  fineTuned: Checkpoint,
  base: Checkpoint,
  omega: number,
  file: string,
): Promise<Checkpoint> {
  if (!Number.isFinite(omega))
    throw new TillerError("setting-invalid", `omega is ${omega}; it must be a number, usually from 0 to 1.`);
  const tensors: TensorData[] = [];
  for (const [name, tuned] of fineTuned) {
    const pre = base.get(name);
    if (!pre)
      throw new TillerError(
        "models-differ",
        `The base model has no ${name}, which ${tuned.source.name} has: pass the model it was fine-tuned from.`,
        { paths: [tuned.source.name] },
      );
    const [a, b] = [tuned, pre].map(({ shape }) => `[${shape.join(", ")}]`);
    if (a !== b) {
      throw new TillerError(
        "models-differ",
        `${name} has shape ${a} in ${tuned.source.name} but ${b} in ${pre.source.name}: pass the model it was fine-tuned from as the base.`,
        { paths: [tuned.source.name, pre.source.name] },
      );
    }
    tensors.push({ name, dtype: tuned.dtype, shape: tuned.shape, data: () => mix(tuned, pre, omega) });
  }
  for (const [name, { source: baseSource }] of base) {
    if (!fineTuned.has(name)) {
      throw new TillerError(
        "models-differ",
        `The fine-tuned model has no ${name}, which ${baseSource.name} has: pass the model it was fine-tuned from.`,
        { paths: [baseSource.name] },
      );
    }
  }
  await writeSafetensors(file, tensors, { format: "pt" });
  return (await readSafetensors(file)).tensors;
}

async function* mix(tuned: TensorRef, pre: TensorRef, omega: number): AsyncGenerator<Uint8Array> {
  const length = tuned.byteLength / bytesPerElement[tuned.dtype];
  for (let from = 0; from < length; from += pieceLength) {
    const count = Math.min(pieceLength, length - from);
    const stored = await readBytes(piece(tuned, from, count));
    if (!isFloat(tuned.dtype) || !isFloat(pre.dtype)) {
      yield stored;
      continue;
    }
    const mixed = toFloat32(stored, tuned.dtype);
    const other = toFloat32(await readBytes(piece(pre, from, count)), pre.dtype);
    for (let i = 0; i < count; i++) mixed[i] = omega * mixed[i]! + (1 - omega) * other[i]!;
    const blended = fromFloat32(mixed, tuned.dtype);
    if (!holdComputable(blended, tuned.dtype)) {
      throw new TillerError(
        "not-finite",
        `${tuned.name} of ${tuned.source.name} has values too large to compute with at omega ${omega}: choose an omega nearer to 1.`,
        { paths: [tuned.source.name] },
      );
    }
    yield blended;
  }
}

/** Elements `from` to `from + count` of the flattened tensor. */
function piece(ref: TensorRef, from: number, count: number): TensorRef {
  const size = bytesPerElement[ref.dtype];
  return { ...ref, offset: ref.offset + from * size, byteLength: count * size, shape: [count] };
}
