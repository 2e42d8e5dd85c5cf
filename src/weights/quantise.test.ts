import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { fromFloat32 } from "../bytes/elements.ts";
import { readBytes, readFloat32, readSafetensors, refuseStoredTypes, writeSafetensors } from "../bytes/safetensors.ts";
import { rows, type TensorRef } from "../bytes/tensor-ref.ts";
import { int8Keys, quantiseWeights } from "./quantise.ts";

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "int8-")));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function weight(shape: readonly number[], values: Float32Array, dtype: "float32" | "float16" = "float32") {
  const file = join(folder, `${files++}.safetensors`);
  await writeSafetensors(file, [{ name: "w", dtype, shape, data: fromFloat32(values, dtype) }]);
  return (await readSafetensors(file)).tensors.get("w")!;
}

const waves = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * i) * (1 + (i % 7)));

async function written(refs: readonly TensorRef[], reach = 127) {
  const file = join(folder, `${files++}.int8.safetensors`);
  const tensors = await quantiseWeights(refs, file, reach);
  const of = async (ref: TensorRef) => {
    const { weight, scale } = int8Keys(ref);
    const bytes = await readBytes(tensors.get(weight)!);
    return {
      ref: tensors.get(weight)!,
      q: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      scale: await readFloat32(tensors.get(scale)!),
    };
  };
  return { file, of };
}

test("each value is its int8 times its output channel's scale, within half a step, and the largest is 127", async () => {
  // More than one block of output channels, the last one not full.
  const [out, inner] = [130, 24];
  const values = waves(out * inner);
  for (const dtype of ["float32", "float16"] as const) {
    const ref = await weight([out, inner], values, dtype);
    const stored = await readFloat32(ref);
    const { ref: int8, q, scale } = await (await written([ref])).of(ref);
    expect(int8).toMatchObject({ dtype: "int8", shape: [inner, out] });
    for (let o = 0; o < out; o++) {
      let largest = 0;
      for (let i = 0; i < inner; i++) {
        // The scale is rounded to float32, which at 127 steps is an error of 1e-5 steps.
        expect(Math.abs(stored[o * inner + i]! - q[i * out + o]! * scale[o]!)).toBeLessThanOrEqual(0.50002 * scale[o]!);
        largest = Math.max(largest, Math.abs(q[i * out + o]!));
      }
      expect(largest).toBe(127);
    }
  }
});

test("a weight that is not finite is refused and not rounded to 0", async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e10]) {
    const ref = await weight([2, 3], Float32Array.of(1, 2, 3, 4, value, 6));
    await expect(written([ref])).rejects.toThrow(refusal("not-finite", ref.source.name, '"w"'));
  }
});

test("a kernel's positions come before its channels", async () => {
  const [out, channels, kh, kw] = [3, 4, 2, 3];
  const ref = await weight([out, channels, kh, kw], waves(out * channels * kh * kw));
  const plain = await readFloat32(ref);
  const { ref: int8, q, scale } = await (await written([ref])).of(ref);
  expect(int8.shape).toEqual([kh * kw * channels, out]);
  for (const [at, value] of plain.entries()) {
    const [x, y, c, o] = [at % kw, Math.floor(at / kw) % kh, Math.floor(at / kw / kh) % channels] as number[];
    const channel = Math.floor(at / kw / kh / channels);
    expect(o).toBeUndefined();
    const found = q[((y! * kw + x!) * channels + c!) * out + channel]!;
    expect(found).toBe(Math.round(value / scale[channel]!));
  }
});

test("values use the requested range, and no more", async () => {
  const ref = await weight([5, 40], waves(200));
  const { q } = await (await written([ref], 63)).of(ref);
  expect([Math.max(...q.map(Math.abs))]).toEqual([63]);
});

test("an output channel of zeros stays zeros", async () => {
  const ref = await weight([2, 3], Float32Array.of(0, 0, 0, 1, -2, 0.5));
  const { q, scale } = await (await written([ref])).of(ref);
  expect([q[0], q[2], q[4], scale[0]]).toEqual([0, 0, 0, 1]);
});

test("parts of one weight have separate keys and scales", async () => {
  const ref = await weight([4, 2], Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40));
  const halves = [rows(ref, 0, 2), rows(ref, 2, 4)];
  const { of } = await written(halves);
  const [first, second] = [await of(halves[0]!), await of(halves[1]!)];
  expect([...first.q]).toEqual([...second.q]);
  expect(second.scale[0]! / first.scale[0]!).toBeCloseTo(10, 5);
});

test("such a file is for Tiller's own use, and refused as a model", async () => {
  const { file } = await written([await weight([1, 1], Float32Array.of(1))]);
  const { tensors } = await readSafetensors(file);
  expect(() => refuseStoredTypes(tensors)).toThrow(refusal("dtype-unsupported", file, "I8"));
});
