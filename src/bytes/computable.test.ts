import { expect, test } from "vitest";
import { areComputable, holdComputable, largest } from "./computable.ts";

const bytesOf = ({ buffer }: Float32Array | Float64Array | Uint16Array) => new Uint8Array(buffer);

test("takes numbers up to 1e9 and none beyond, in memory and as they are stored", () => {
  // 1e9 is a float32; the next one is 64 more. As bfloat16 the last one below is 0x4e6e, the next 0x4e6f.
  const beyond = largest + 64;
  expect(Math.fround(beyond)).toBe(beyond);
  for (const sign of [1, -1]) {
    expect(areComputable(Float32Array.of(0, sign * largest))).toBe(true);
    expect(areComputable(Float32Array.of(0, sign * beyond))).toBe(false);
    expect(holdComputable(bytesOf(Float32Array.of(0, sign * largest)), "float32")).toBe(true);
    expect(holdComputable(bytesOf(Float32Array.of(0, sign * beyond)), "float32")).toBe(false);
    expect(holdComputable(bytesOf(Float64Array.of(0, sign * largest)), "float64")).toBe(true);
    expect(holdComputable(bytesOf(Float64Array.of(0, sign * (largest + 1))), "float64")).toBe(false);
    const signBit = sign < 0 ? 0x8000 : 0;
    expect(holdComputable(bytesOf(Uint16Array.of(0, 0x4e6e | signBit)), "bfloat16")).toBe(true);
    expect(holdComputable(bytesOf(Uint16Array.of(0, 0x4e6f | signBit)), "bfloat16")).toBe(false);
    // 65504, the largest of float16, and infinity.
    expect(holdComputable(bytesOf(Uint16Array.of(0, 0x7bff | signBit)), "float16")).toBe(true);
    expect(holdComputable(bytesOf(Uint16Array.of(0, 0x7c00 | signBit)), "float16")).toBe(false);
  }
});

test("a 16-bit element is seen at every place of a length that is odd", () => {
  const [one, infinity] = [0x3f80, 0x7f80];
  for (let at = 0; at < 5; at++) {
    const elements = Uint16Array.of(one, one, one, one, one);
    expect(holdComputable(bytesOf(elements), "bfloat16")).toBe(true);
    elements[at] = infinity;
    expect(holdComputable(bytesOf(elements), "bfloat16")).toBe(false);
  }
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("takes no %d", (value) => {
  expect(areComputable(Float32Array.of(0, value))).toBe(false);
  expect(holdComputable(bytesOf(Float32Array.of(0, value)), "float32")).toBe(false);
  expect(holdComputable(bytesOf(Float64Array.of(0, value)), "float64")).toBe(false);
});
