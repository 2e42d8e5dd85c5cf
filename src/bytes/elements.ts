/** Converts between the element types of checkpoints and float32. Little-endian, like safetensors. */
import type { DType } from "./tensor-ref.ts";

/** The floating-point types. */
export type FloatDType = Extract<DType, "float32" | "float16" | "bfloat16" | "float64">;

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === "float32" || dtype === "float16" || dtype === "bfloat16" || dtype === "float64";
}

/** Elements of any stored type as float32: {@link toFloat32}'s types, 8-bit floats, and integers, rounded to nearest. */
export function anyToFloat32(bytes: Uint8Array, dtype: DType): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case "float8_e4m3":
      return Float32Array.from(bytes, fromE4M3);
    case "float8_e5m2":
      // The upper byte of a float16.
      return toFloat32(new Uint8Array(Uint16Array.from(bytes, (byte) => byte << 8).buffer), "float16");
    case "int64":
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
    case "uint64":
      return Float32Array.from(new BigUint64Array(buffer, byteOffset, byteLength / 8), Number);
    case "int32":
      return Float32Array.from(new Int32Array(buffer, byteOffset, byteLength / 4));
    case "uint32":
      return Float32Array.from(new Uint32Array(buffer, byteOffset, byteLength / 4));
    case "int16":
      return Float32Array.from(new Int16Array(buffer, byteOffset, byteLength / 2));
    case "uint16":
      return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "int8":
      return Float32Array.from(new Int8Array(buffer, byteOffset, byteLength));
    case "uint8":
    case "bool":
      return Float32Array.from(bytes);
    default:
      return toFloat32(bytes, dtype);
  }
}

/** Four exponent bits with bias 7, three fraction bits, no infinity; all ones is NaN. */
function fromE4M3(byte: number): number {
  const [exponent, fraction] = [(byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return Number.NaN;
  const magnitude = exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
  return byte & 0x80 ? -magnitude : magnitude;
}

/** Stored elements as float32. float64 is rounded to nearest, the others are exact. `bytes` must be 8-byte aligned. */
export function toFloat32(bytes: Uint8Array, dtype: FloatDType): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "float32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === "float64") return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
  const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  if (dtype === "bfloat16") {
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
    return values;
  }
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) values[i] = (sign ? -fraction : fraction) * 2 ** -24;
    else bits[i] = sign | ((exponent === 31 ? 0xff : exponent + 112) << 23) | (fraction << 13);
  }
  return values;
}

/** float32 as stored elements, rounded to nearest, ties to even, as PyTorch rounds. */
export function fromFloat32(values: Float32Array, dtype: FloatDType): Uint8Array {
  if (dtype === "float32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === "float64") return new Uint8Array(Float64Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const round = dtype === "bfloat16" ? toBfloat16 : toFloat16;
  for (let i = 0; i < bits.length; i++) halves[i] = round(bits[i]!);
  return new Uint8Array(halves.buffer);
}

function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays NaN
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and more
  if (magnitude < 0x33000000) return sign; // less than half of the smallest float16, 2^-24
  if (magnitude < 0x38800000) {
    // Below 2^-14 float16 is a multiple of 2^-24: shift the 24-bit significand down to that unit.
    const shift = 126 - (magnitude >>> 23);
    const significand = (magnitude & 0x7fffff) | 0x800000;
    const kept = significand >>> shift;
    const rest = significand & ((1 << shift) - 1);
    const half = 1 << (shift - 1);
    return sign | (kept + (rest > half || (rest === half && kept & 1) ? 1 : 0));
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}
