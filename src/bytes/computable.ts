/** Numbers that float32 computes with, told from NaN, infinity and those that end in them. */
import type { FloatDType } from "./elements.ts";

/**
 * The largest that a weight may be. Two layers of such numbers in a row, squared by the norm after them, still fit into
 * float32. Beyond that a norm divides by infinity, and the picture is the same whatever the weight is, with no NaN to tell.
 */
export const largest = 1e9;

/** Whether all are finite, and none is beyond {@link largest}. */
export function areComputable(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) <= largest)) return false;
  return true;
}

/** The largest magnitude among them; 0 of none. */
export function magnitudeOf(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** The same as {@link areComputable} of stored elements. `bytes` must be 8-byte aligned. */
export function holdComputable(bytes: Uint8Array, dtype: FloatDType): boolean {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "float64")
    return new Float64Array(buffer, byteOffset, byteLength / 8).every((value) => Math.abs(value) <= largest);
  if (dtype === "float32")
    return noneBeyond(new Uint32Array(buffer, byteOffset, byteLength / 4), 0x7fffffff, largestBits);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  // All finite numbers of float16 are small.
  return noneBeyond(halves, 0x7fff, dtype === "bfloat16" ? largestBits >>> 16 : 0x7bff);
}

/** Without their sign, floating-point numbers are in the order of their bits; infinity and NaN come last. */
const largestBits = new Uint32Array(Float32Array.of(largest).buffer)[0]!;

function noneBeyond(elements: Uint32Array | Uint16Array, magnitude: number, most: number): boolean {
  for (let i = 0; i < elements.length; i++) if ((elements[i]! & magnitude) > most) return false;
  return true;
}
