/** Checks that numbers are finite and small enough to compute with in float32. */
import type { FloatDType } from "./elements.ts";

/**
 * The largest magnitude of a weight. Two consecutive layers of such weights, squared by the norm after them, still fit into
 * float32. Beyond it a norm would divide by infinity: the picture would no longer depend on the weight, without any NaN.
 */
export const largest = 1e9;

/** Whether all are finite, and none is beyond {@link largest}. */
export function areComputable(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) <= largest)) return false;
  return true;
}

/** The largest magnitude; 0 if there are no values. */
export function magnitudeOf(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** {@link areComputable} for stored elements. `bytes` must be 8-byte aligned. */
export function holdComputable(bytes: Uint8Array, dtype: FloatDType): boolean {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "float64")
    return new Float64Array(buffer, byteOffset, byteLength / 8).every((value) => Math.abs(value) <= largest);
  if (dtype === "float32") return noneBeyond(new Uint32Array(buffer, byteOffset, byteLength / 4));
  // All finite float16 numbers are small enough.
  const most = dtype === "bfloat16" ? largestBits >>> 16 : 0x7bff;
  const pairs = new Uint32Array(buffer, byteOffset, byteLength >>> 2);
  const last = new Uint16Array(buffer, byteOffset + 4 * pairs.length, (byteLength & 2) / 2);
  return noHalfBeyond(pairs, most) && noHalfBeyond(last, most);
}

/** Without their sign, floating-point numbers sort like their bits; infinity and NaN come last. */
const largestBits = new Uint32Array(Float32Array.of(largest).buffer)[0]!;

function noneBeyond(elements: Uint32Array): boolean {
  for (let i = 0; i < elements.length; i++) if ((elements[i]! & 0x7fffffff) > largestBits) return false;
  return true;
}

/** Two 16-bit elements at a time: adding to each magnitude what takes one beyond `most` to the sign bit. */
function noHalfBeyond(pairs: Uint32Array | Uint16Array, most: number): boolean {
  const toSign = (0x7fff - most) * 0x10001;
  for (let i = 0; i < pairs.length; i++) if ((((pairs[i]! & 0x7fff7fff) + toSign) & 0x80008000) !== 0) return false;
  return true;
}
