/** Quantises weights to int8 with a scale per output channel; written once to a safetensors file, then memory-mapped. */
import { readWeight } from "../bytes/refuse-not-finite.ts";
import { readSafetensors, type TensorData, writeSafetensors } from "../bytes/safetensors.ts";
import { rows, type TensorRef } from "../bytes/tensor-ref.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Elements read at a time: about 4 MB of float32, whatever the tensor's size. */
const pieceLength = 1 << 20;

/** Output channels transposed at a time, so that their data stays in the processor's L1 cache. */
const blockLength = 64;

/** The keys of a weight in such a file. Row ranges of one weight have separate keys. */
export const int8Keys = ({ name, offset }: TensorRef): { weight: string; scale: string } => ({
  weight: `${name}@${offset}.weight`,
  scale: `${name}@${offset}.scale`,
});

/**
 * Writes weights [out, in] or [out, in, kh, kw] as int8 to one file, and opens it: `weight` [in, out] or [kh * kw * in, out],
 * from -reach to reach, and `scale` [out], float32. Only one weight at a time is in memory, as int8.
 *
 * @throws TillerError if a weight cannot be read, is not floating point or not finite, or `file` cannot be written.
 */
export async function quantiseWeights(weights: readonly TensorRef[], file: string, reach: number): Promise<Checkpoint> {
  const tensors: TensorData[] = [];
  for (const ref of weights) {
    const [out = 0, ...inner] = ref.shape;
    const scale = await scalesOf(ref, reach);
    const keys = int8Keys(ref);
    const length = inner.reduce((a, b) => a * b, 1);
    tensors.push(
      { name: keys.scale, dtype: "float32", shape: [out], data: new Uint8Array(scale.buffer) },
      { name: keys.weight, dtype: "int8", shape: [length, out], data: () => turned(ref, scale) },
    );
  }
  await writeSafetensors(file, tensors);
  return openInt8(file);
}

/** Opens what {@link quantiseWeights} wrote. */
export const openInt8 = async (file: string): Promise<Checkpoint> => (await readSafetensors(file)).tensors;

/** Each output channel's largest magnitude divided by `reach`; 1 if all its values are 0. */
async function scalesOf(ref: TensorRef, reach: number): Promise<Float32Array> {
  const scale = new Float32Array(ref.shape[0]!);
  for await (const { from, count, length, values } of pieces(ref)) {
    for (let o = 0; o < count; o++) {
      let largest = 0;
      for (let i = o * length; i < (o + 1) * length; i++) largest = Math.max(largest, Math.abs(values[i]!));
      scale[from + o] = largest > 0 ? largest / reach : 1;
    }
  }
  return scale;
}

/** The weight divided by its scales and transposed to [kh * kw * in, out]. */
async function* turned(ref: TensorRef, scale: Float32Array): AsyncGenerator<Uint8Array> {
  const [out, channels] = ref.shape as [number, number];
  const places = ref.shape.slice(2).reduce((a, b) => a * b, 1);
  const result = new Int8Array(out * channels * places);
  for await (const { from, count, length, values } of pieces(ref)) {
    for (let block = 0; block < count; block += blockLength) {
      const end = Math.min(count, block + blockLength);
      for (let i = 0; i < length; i++) {
        const row = (i % places) * channels + Math.floor(i / places);
        for (let o = block; o < end; o++) {
          result[row * out + from + o] = Math.round(values[o * length + i]! / scale[from + o]!);
        }
      }
    }
  }
  yield new Uint8Array(result.buffer);
}

/** Consecutive output channels, `count` at a time, `length` values each. */
async function* pieces(ref: TensorRef) {
  const [out = 0, ...inner] = ref.shape;
  const length = inner.reduce((a, b) => a * b, 1);
  const step = Math.max(1, Math.floor(pieceLength / length));
  for (let from = 0; from < out; from += step) {
    const count = Math.min(step, out - from);
    yield { from, count, length, values: await readWeight(rows(ref, from, from + count)) };
  }
}
