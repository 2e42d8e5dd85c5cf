/**
 * A full fine-tune blended with its pre-trained model: theta_omega = omega theta_ft + (1 - omega) theta_pre, in float32, each product
 * and the sum rounded, as in PyTorch.
 */

import { areComputable } from "../bytes/computable.ts";
import { type FloatDType, fromFloat32, isFloat, toFloat32 } from "../bytes/elements.ts";
import { notFinite } from "../bytes/refuse-not-finite.ts";
import { readBytes, readSafetensors, type TensorData, writeSafetensors } from "../bytes/safetensors.ts";
import { bytesPerElement, type TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Elements mixed at a time: about 4 MB for each buffer in flight, whatever the tensors' size. */
const pieceLength = 1 << 20;

/** A tensor of the fine-tuned model and the same one of the pre-trained model. */
export interface Pair {
  readonly tuned: TensorRef;
  readonly pre: TensorRef;
}

/**
 * The weights in float32 that omega stands for: those of the fine-tuned and of the pre-trained model.
 *
 * @throws TillerError if omega is not finite.
 */
export function sharesOf(omega: number): readonly [number, number] {
  if (!Number.isFinite(omega))
    throw new TillerError("setting-invalid", `omega is ${omega}; it must be a number, usually from 0 to 1.`);
  return [Math.fround(omega), Math.fround(1 - omega)];
}

/**
 * The tensors of two checkpoints in pairs, by key.
 *
 * @param widened Key of a kernel that may have further input channels in the fine-tuned model; the pre-trained model's count as 0.
 * @throws TillerError if the two do not have the same keys and shapes.
 */
export function pairsOf(fineTuned: Checkpoint, base: Checkpoint, widened?: string): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const [name, tuned] of fineTuned) {
    const pre = base.get(name);
    if (!pre)
      throw new TillerError(
        "models-differ",
        `The base model has no ${name}, which ${tuned.source.name} has: pass the model it was fine-tuned from.`,
        { paths: [tuned.source.name] },
      );
    if (String(tuned.shape) !== String(pre.shape) && !(name === widened && isWider(tuned.shape, pre.shape))) {
      const [a, b] = [tuned, pre].map(({ shape }) => `[${shape.join(", ")}]`);
      throw new TillerError(
        "models-differ",
        `${name} has shape ${a} in ${tuned.source.name} but ${b} in ${pre.source.name}: pass the model it was fine-tuned from as the base.`,
        { paths: [tuned.source.name, pre.source.name] },
      );
    }
    pairs.set(name, { tuned, pre });
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
  return pairs;
}

/** Whether kernels are equal in shape, except that the first has more input channels. */
const isWider = ([out, channels = 0, ...kernel]: readonly number[], [sameOut, fewer = 0, ...same]: readonly number[]) =>
  out === sameOut && channels > fewer && String(kernel) === String(same);

/** Whether both are the same bytes of the same file, so that every blend is the tensor itself. */
export const isShared = ({ tuned, pre }: Pair): boolean =>
  tuned.source.name === pre.source.name && tuned.offset === pre.offset && tuned.byteLength === pre.byteLength;

/** Whether a pair is blended; integers and shared tensors are taken from the fine-tuned model. */
export const isBlended = (pair: Pair): boolean =>
  isFloat(pair.tuned.dtype) && isFloat(pair.pre.dtype) && !isShared(pair);

/**
 * Writes a blend to one safetensors file, each tensor in the fine-tuned one's dtype, and opens it.
 *
 * @param omega Usually 0 (pre-trained) to 1 (fine-tuned); any finite number, or one for each key.
 * @throws TillerError if `file` cannot be written, a value is or becomes too large to compute with, or omega is not finite.
 */
export async function writeBlend(
  pairs: ReadonlyMap<string, Pair>,
  omega: number | ((key: string) => number),
  file: string,
): Promise<Checkpoint> {
  const omegaOf = typeof omega === "number" ? () => omega : omega;
  for (const key of pairs.keys()) sharesOf(omegaOf(key));
  const tensors = [...pairs].map(([name, pair]): TensorData => {
    const { dtype, shape } = pair.tuned;
    return { name, dtype, shape, data: () => (isBlended(pair) ? stored(pair, omegaOf(name)) : whole(pair.tuned)) };
  });
  await writeSafetensors(file, tensors, { format: "pt" });
  return (await readSafetensors(file)).tensors;
}

async function* stored(pair: Pair, omega: number): AsyncGenerator<Uint8Array> {
  for await (const part of mix(pair, omega)) yield fromFloat32(part, pair.tuned.dtype as FloatDType);
}

async function* whole(ref: TensorRef): AsyncGenerator<Uint8Array> {
  yield await readBytes(ref);
}

/** How a tensor is blended. */
export interface Blending {
  /** Memory for the result. */
  readonly into?: Float32Array | undefined;
  /** Whether both tensors are known to be finite. */
  readonly finite?: boolean | undefined;
}

/** A blended tensor in float32, piece by piece, rounded to the fine-tuned one's dtype. */
async function* mix(
  { tuned, pre }: Pair,
  omega: number,
  { into, finite = false }: Blending = {},
): AsyncGenerator<Float32Array> {
  const [a, b] = sharesOf(omega);
  const { dtype } = tuned;
  if (!isFloat(dtype) || !isFloat(pre.dtype)) throw new RangeError(`${tuned.name} holds integers`);
  const length = tuned.byteLength / bytesPerElement[dtype];
  // Of a kernel with further input channels, the pre-trained model has the first `narrow` of every `wide` elements.
  const [wide, narrow] = [tuned, pre].map(({ shape }) => shape.slice(1).reduce((x, y) => x * y, 1)) as [number, number];
  const whole = wide === narrow;
  const step = whole ? pieceLength : Math.max(1, Math.floor(pieceLength / wide)) * wide;
  const most = Math.min(step, length);
  // A piece of each is read while the one before is mixed.
  const memories = [0, 1].map(() => [
    new ArrayBuffer(most * bytesPerElement[dtype]),
    new ArrayBuffer(most * bytesPerElement[pre.dtype]),
  ]);
  const read = async (from: number): Promise<readonly [Float32Array, Float32Array]> => {
    const count = Math.min(step, length - from);
    const [ourMemory, theirMemory] = memories[(from / step) % 2]!;
    const ofPre = (elements: number) => (whole ? elements : (elements / wide) * narrow);
    const [ours, theirs] = await Promise.all([
      readBytes(piece(tuned, from, count), ourMemory),
      readBytes(piece(pre, ofPre(from), ofPre(count)), theirMemory),
    ]);
    const given = toFloat32(theirs, pre.dtype as FloatDType);
    return [toFloat32(ours, dtype), whole ? given : widen(given, narrow, wide)];
  };
  let next = read(0);
  for (let from = 0; from < length; from += step) {
    const [ours, theirs] = await next;
    if (!finite) {
      if (!areComputable(ours)) throw notFinite(tuned);
      if (!areComputable(theirs)) throw notFinite(pre);
    }
    if (from + step < length) next = read(from + step);
    const mixed = into?.subarray(from, from + ours.length) ?? ours;
    add(mixed, ours, a, theirs, b);
    if (dtype !== "float32") mixed.set(toFloat32(fromFloat32(mixed, dtype), dtype));
    // Between 0 and 1 no value is beyond the larger of the two.
    if (!(omega >= 0 && omega <= 1) && !areComputable(mixed)) {
      if (from + step < length) await next;
      throw tooLarge(tuned, omega);
    }
    yield mixed;
  }
}

/** The refusal of an omega at which a fine-tuned tensor's blend has values too large to compute with. */
export const tooLarge = ({ name, source }: TensorRef, omega: number): TillerError =>
  new TillerError(
    "not-finite",
    `${name} of ${source.name} has values too large to compute with at omega ${omega}: choose an omega nearer to 1.`,
    { paths: [source.name] },
  );

/** a x + b y, each product and the sum rounded to float32. */
function add(sum: Float32Array, x: Float32Array, a: number, y: Float32Array, b: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = Math.fround(a * x[i]!) + Math.fround(b * y[i]!);
}

/**
 * A blended tensor in float32.
 *
 * @throws TillerError if a value is or becomes too large to compute with, or omega is not finite.
 */
export async function blendTensor(pair: Pair, omega: number, how: Blending = {}): Promise<Float32Array> {
  const { byteLength, dtype } = pair.tuned;
  const blended = how.into ?? new Float32Array(byteLength / bytesPerElement[dtype]);
  for await (const _ of mix(pair, omega, { ...how, into: blended }));
  return blended;
}

/** Rows of `narrow` elements, padded with zeros to `wide`. */
function widen(values: Float32Array, narrow: number, wide: number): Float32Array {
  const padded = new Float32Array((values.length / narrow) * wide);
  for (let row = 0; row * narrow < values.length; row++)
    padded.set(values.subarray(row * narrow, (row + 1) * narrow), row * wide);
  return padded;
}

/** A blended tensor whose values are computed when they are read, at the omega of that moment. */
export function blendedRef(pair: Pair, omega: () => number): TensorRef {
  const { name, byteLength } = pair.tuned;
  return {
    ...pair.tuned,
    source: {
      name: `a blend of ${name}`,
      size: byteLength,
      async read(at, length) {
        const bytes = fromFloat32(await blendTensor(pair, omega()), pair.tuned.dtype as FloatDType);
        return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, length);
      },
    },
    offset: 0,
  };
}

/** Elements `from` to `from + count` of the flattened tensor. */
function piece(ref: TensorRef, from: number, count: number): TensorRef {
  const size = bytesPerElement[ref.dtype];
  return { ...ref, offset: ref.offset + from * size, byteLength: count * size, shape: [count] };
}
