/** Which values count as alive at once. */
import { describe, expect, test } from "vitest";
import { add, input, matmul, multiply, type Outputs, reshape, symbol } from "./index.ts";
import { activationBytes } from "./memory.ts";

const n = symbol("n");
const bytes = (outputs: Outputs, element = 4): number =>
  activationBytes(outputs, { sizes: { n: 1000 }, element, converts: false });
const x = input("x", [n, n]); // 4 MB
const MB = 4e6;

describe("values alive at once", () => {
  test("are the inputs and what is between the first use of a value and its last", () => {
    // x, a and b; then x, b and c.
    const a = matmul(x, x);
    const b = matmul(a, a);
    expect(bytes({ c: matmul(b, b) })).toBe(3 * MB);
    // a is still needed.
    expect(bytes({ c: matmul(matmul(b, b), a) })).toBe(4 * MB);
  });

  test("do not include arithmetic's result if it can overwrite an operand that nothing else needs", () => {
    const a = matmul(x, x);
    expect(bytes({ y: multiply(a, 2) })).toBe(2 * MB);
    expect(bytes({ y: add(multiply(a, 2), a) })).toBe(3 * MB);
    // An input belongs to the caller.
    expect(bytes({ y: multiply(x, 2) })).toBe(2 * MB);
  });

  test("include what a reshaped value shares its memory with", () => {
    const a = matmul(x, x);
    const flat = reshape(a, [1, n, n]);
    expect(bytes({ y: matmul(reshape(flat, [n, n]), x) })).toBe(3 * MB);
  });

  test("are half as large with elements of two bytes", () => {
    expect(bytes({ y: matmul(x, x) }, 2)).toBe(MB);
  });
});
