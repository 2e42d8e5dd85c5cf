/**
 * Where a tensor's bytes lie: a slice of an existing file.
 *
 * A checkpoint is a map of these. Graphs reference them in place, so weights are never copied or converted on disk.
 */
import type { ByteSource } from "./source.ts";

/** The element types Tiller reads from files, by their usual names. Networks take those of {@link ComputedDType} alone. */
export type DType = ComputedDType | StoredDType;

/** The element types that Tiller computes with. */
export type ComputedDType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int64"
  | "int32"
  | "int8"
  | "uint8"
  | "bool";

/** The element types that adapters may be stored in beside these. */
export type StoredDType = "float8_e4m3" | "float8_e5m2" | "int16" | "uint16" | "uint32" | "uint64";

/** Bytes one element takes. */
export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
  int64: 8,
  int32: 4,
  uint8: 1,
  bool: 1,
  float8_e4m3: 1,
  float8_e5m2: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  uint32: 4,
  uint64: 8,
};

/** A tensor inside a file: `byteLength` bytes of row-major `shape` elements from byte `offset` on. */
export interface TensorRef {
  /** The key in the checkpoint, kept for error messages. */
  readonly name: string;
  /** The file that it lies in. */
  readonly source: ByteSource;
  /** Where in the file it begins, in bytes. */
  readonly offset: number;
  /** How long it is there, in bytes. */
  readonly byteLength: number;
  /** Its dimensions, the slowest first. */
  readonly shape: readonly number[];
  /** What its elements are. */
  readonly dtype: DType;
}

/**
 * Rows `from` to `to` (exclusive) of a tensor's first axis, still in place in its file.
 *
 * @throws RangeError if the rows are not inside the tensor.
 */
export function rows(ref: TensorRef, from: number, to: number): TensorRef {
  const [length = 0, ...rest] = ref.shape;
  if (!(from >= 0 && from < to && to <= length)) {
    throw new RangeError(`${ref.name}: rows ${from} to ${to} lie outside its shape [${ref.shape.join(", ")}]`);
  }
  const rowBytes = rest.reduce((a, b) => a * b, 1) * bytesPerElement[ref.dtype];
  return {
    ...ref,
    offset: ref.offset + from * rowBytes,
    byteLength: (to - from) * rowBytes,
    shape: [to - from, ...rest],
  };
}
