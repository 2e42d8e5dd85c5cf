/**
 * A reference to a tensor's bytes in a file.
 *
 * A checkpoint is a map of these. Graphs refer to weights in place, so they are never copied or converted on disk.
 */
import type { ByteSource } from "./source.ts";

/** The element types that Tiller reads from files. Networks take only those of {@link ComputedDType}. */
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

/** Further element types in which adapters may be stored. */
export type StoredDType = "float8_e4m3" | "float8_e5m2" | "int16" | "uint16" | "uint32" | "uint64";

/** Bytes per element. */
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

/** A tensor in a file: `byteLength` bytes from byte `offset`, row-major. */
export interface TensorRef {
  /** The key in the checkpoint, kept for error messages. */
  readonly name: string;
  /** The file that holds it. */
  readonly source: ByteSource;
  /** Byte offset in the file. */
  readonly offset: number;
  /** Length in bytes. */
  readonly byteLength: number;
  /** Its dimensions, outermost first. */
  readonly shape: readonly number[];
  /** Element type. */
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
