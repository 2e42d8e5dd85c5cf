import { expect, test } from "vitest";
import { anyToFloat32, fromFloat32, toFloat32 } from "./elements.ts";

const halves = (bytes: Uint8Array) => [...new Uint16Array(bytes.buffer)].map((h) => h.toString(16));

test("every float16 value survives conversion to float32 and back", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const back = new Uint16Array(fromFloat32(toFloat32(new Uint8Array(all.buffer), "float16"), "float16").buffer);
  // All NaNs may become one NaN, as in PyTorch.
  const isNaN16 = (h: number) => (h & 0x7fff) > 0x7c00;
  const wrong = all.filter((h, i) => (isNaN16(h) ? !isNaN16(back[i]!) : back[i] !== h));
  expect([...wrong]).toEqual([]);
});

test("every bfloat16 value survives conversion to float32 and back", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const back = new Uint16Array(fromFloat32(toFloat32(new Uint8Array(all.buffer), "bfloat16"), "bfloat16").buffer);
  const isNaN16 = (h: number) => (h & 0x7fff) > 0x7f80;
  const wrong = all.filter((h, i) => (isNaN16(h) ? !isNaN16(back[i]!) : back[i] !== h));
  expect([...wrong]).toEqual([]);
});

test("float32 is rounded to float16 as PyTorch rounds, ties to even", () => {
  // torch.tensor([...]).half().view(torch.int16): midpoints, the largest finite, overflow, subnormals and their midpoints.
  const values = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65519.99, 65520, 1e9, 2 ** -24, 2 ** -25, 1.5 * 2 ** -25];
  const more = [2.5 * 2 ** -24, 3.5 * 2 ** -24, 2 ** -14 - 2 ** -25, -0, -Infinity, Number.NaN, 0.1];
  expect(halves(fromFloat32(Float32Array.from([...values, ...more]), "float16"))).toEqual(
    "3c00 3c02 7bff 7bff 7c00 7c00 1 0 1 2 4 400 8000 fc00 7e00 2e66".split(" "),
  );
});

test("float32 is rounded to bfloat16 as PyTorch rounds, ties to even", () => {
  // Which bfloat16 NaN results depends on the machine in PyTorch.
  const values = [1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, 1e-40, -0, Number.NaN, 0.1];
  expect(halves(fromFloat32(Float32Array.from(values), "bfloat16"))).toEqual(
    "3f80 3f82 7f80 1 8000 7fc0 3dcd".split(" "),
  );
});

test("8-bit floats equal PyTorch's, and integers are unchanged", () => {
  // torch.tensor(bytes, dtype=torch.uint8).view(torch.float8_e4m3fn).float(), and float8_e5m2.
  const e4m3 = [0x38, 0xb8, 0x7e, 0x01, 0x80, 0x7f, 0x45];
  expect([...anyToFloat32(Uint8Array.from(e4m3), "float8_e4m3")]).toEqual([1, -1, 448, 2 ** -9, -0, Number.NaN, 3.25]);
  const e5m2 = [0x3c, 0xbc, 0x7b, 0x01, 0x7c, 0x45];
  expect([...anyToFloat32(Uint8Array.from(e5m2), "float8_e5m2")]).toEqual([1, -1, 57344, 2 ** -16, Infinity, 5]);
  expect([...anyToFloat32(new Uint8Array(BigInt64Array.of(-3n).buffer), "int64")]).toEqual([-3]);
  expect([...anyToFloat32(new Uint8Array(Uint16Array.of(65535).buffer), "uint16")]).toEqual([65535]);
  expect([...anyToFloat32(Uint8Array.of(255), "int8")]).toEqual([-1]);
});
