/** The size of a set of tensors, and the base model by their widths. */
import type { Checkpoint } from "../weights/checkpoint.ts";

/** The size of a set of tensors. */
export interface Amount {
  /** Number of tensors. */
  readonly tensors: number;
  /** Elements of all of them. */
  readonly parameters: number;
  /** Bytes in the file. */
  readonly bytes: number;
  /** Parameters by dtype. */
  readonly dtypes: Readonly<Record<string, number>>;
}

export function amountOf(checkpoint: Checkpoint): Amount {
  const dtypes: Record<string, number> = {};
  let bytes = 0;
  for (const { shape, dtype, byteLength } of checkpoint.values()) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + elements(shape);
    bytes += byteLength;
  }
  const parameters = Object.values(dtypes).reduce((a, b) => a + b, 0);
  return { tensors: checkpoint.size, parameters, bytes, dtypes };
}

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
