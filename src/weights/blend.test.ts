import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { fromFloat32 } from "../bytes/elements.ts";
import { readBytes, readFloat32, readSafetensors, writeSafetensors } from "../bytes/safetensors.ts";
import type { DType } from "../bytes/tensor-ref.ts";
import { blendTensor, pairsOf, writeBlend } from "./blend.ts";
import type { Checkpoint } from "./checkpoint.ts";

const blendCheckpoints = async (tuned: Checkpoint, base: Checkpoint, omega: number, file: string) =>
  writeBlend(pairsOf(tuned, base), omega, file);

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "blend-")));
});
afterAll(() => rm(folder, { recursive: true }));

type Values = Record<string, { values: number[] | Float32Array; shape?: number[]; dtype?: "float32" | "float16" }>;

async function checkpoint(name: string, tensors: Values): Promise<Checkpoint> {
  const file = join(folder, `${name}.safetensors`);
  await writeSafetensors(
    file,
    Object.entries(tensors).map(([name, { values, shape, dtype = "float32" }]) => ({
      name,
      dtype: dtype as DType,
      shape: shape ?? [values.length],
      data: fromFloat32(Float32Array.from(values), dtype),
    })),
  );
  return (await readSafetensors(file)).tensors;
}

test("a blend interpolates by omega from the base to the fine-tuned model, in the latter's dtype", async () => {
  const tuned = await checkpoint("tuned", {
    w: { values: [1, 2, -4], shape: [3, 1] },
    h: { values: [1], dtype: "float16" },
  });
  const base = await checkpoint("base", {
    w: { values: [3, 2, 4], shape: [3, 1], dtype: "float16" },
    h: { values: [2] },
  });
  const file = join(folder, "blended.safetensors");
  const blended = await blendCheckpoints(tuned, base, 0.25, file);
  expect([...(await readFloat32(blended.get("w")!))]).toEqual([2.5, 2, 2]);
  expect([...(await readFloat32(blended.get("h")!))]).toEqual([1.75]);
  expect(blended.get("h")!.dtype).toBe("float16");
  expect(blended.get("w")).toMatchObject({ source: { path: file }, shape: [3, 1], dtype: "float32" });
});

test("omega 1 is the fine-tuned model and omega 0 the base, bit for bit", async () => {
  const some = Array.from({ length: 1000 }, (_, i) => Math.sin(i * i));
  const other = Array.from({ length: 1000 }, (_, i) => Math.cos(i * 7) * 1e-3);
  const [tuned, base] = [
    await checkpoint("t1", { w: { values: some } }),
    await checkpoint("b1", { w: { values: other } }),
  ];
  const one = await blendCheckpoints(tuned, base, 1, join(folder, "one.safetensors"));
  const zero = await blendCheckpoints(tuned, base, 0, join(folder, "zero.safetensors"));
  expect(await readBytes(one.get("w")!)).toEqual(await readBytes(tuned.get("w")!));
  expect(await readBytes(zero.get("w")!)).toEqual(await readBytes(base.get("w")!));
});

test("tensors larger than the pieces they are mixed in come out complete", async () => {
  const length = (1 << 22) + 12_345;
  const tuned = await checkpoint("big", { w: { values: new Float32Array(length).map((_, i) => i), dtype: "float32" } });
  const base = await checkpoint("small", { w: { values: new Float32Array(length) } });
  const blended = await blendCheckpoints(tuned, base, 0.5, join(folder, "large.safetensors"));
  const mixed = await readFloat32(blended.get("w")!);
  expect(mixed.length).toBe(length);
  expect(mixed.findIndex((x, i) => x !== i / 2)).toBe(-1);
});

test("keys stay those of the opened checkpoint, not those of the file", async () => {
  const stored = await checkpoint("old", { "attentions.0.query.weight": { values: [1] } });
  const renamed = new Map([["attentions.0.to_q.weight", stored.get("attentions.0.query.weight")!]]);
  const blended = await blendCheckpoints(renamed, renamed, 0.5, join(folder, "renamed.safetensors"));
  expect([...blended.keys()]).toEqual(["attentions.0.to_q.weight"]);
});

test("models that do not belong together are refused with the first key and both shapes, and nothing is written", async () => {
  const tuned = await checkpoint("ft", { "conv_in.weight": { values: [1, 2, 3, 4], shape: [2, 2] } });
  const base = await checkpoint("pre", { "conv_in.weight": { values: [1, 2, 3, 4], shape: [4] } });
  const file = join(folder, "never.safetensors");
  await expect(blendCheckpoints(tuned, base, 0.5, file)).rejects.toThrow(
    refusal("models-differ", "conv_in.weight", "[2, 2]", "ft.safetensors", "[4]", "pre.safetensors"),
  );
  const less = await checkpoint("less", {});
  await expect(blendCheckpoints(tuned, less, 0.5, file)).rejects.toThrow(
    refusal("models-differ", "conv_in.weight", "ft.safetensors"),
  );
  await expect(blendCheckpoints(less, base, 0.5, file)).rejects.toThrow(
    refusal("models-differ", "conv_in.weight", "pre.safetensors"),
  );
  await expect(blendCheckpoints(tuned, tuned, Number.NaN, file)).rejects.toThrow(refusal("setting-invalid", "omega"));
  expect((await readdir(folder)).filter((name) => name.includes("never"))).toEqual([]);
});

test("a tensor of either model that is not finite is refused by its file, and nothing is written", async () => {
  const sound = await checkpoint("sound", { w: { values: [1, 2] } });
  const spoilt = await checkpoint("spoilt", { w: { values: [1, Number.NaN] } });
  const refused = refusal("not-finite", join(folder, "spoilt.safetensors"), '"w"');
  for (const [tuned, base] of [
    [sound, spoilt],
    [spoilt, sound],
  ] as const) {
    // At omega 1 and 0 one of them counts for nothing.
    for (const omega of [0, 0.5, 1])
      await expect(blendTensor(pairsOf(tuned, base).get("w")!, omega)).rejects.toThrow(refused);
    await expect(blendCheckpoints(tuned, base, 0.5, join(folder, "unblended.safetensors"))).rejects.toThrow(refused);
  }
  expect(await readdir(folder)).not.toContain("unblended.safetensors");
});

test("a kernel with further input channels is blended with zeros there", async () => {
  const kernel = (name: string, channels: number) =>
    checkpoint(name, {
      w: { values: Array.from({ length: 2 * channels * 3 }, (_, i) => i + 1), shape: [2, channels, 3, 1] },
    });
  const [wide, narrow] = [await kernel("wide", 3), await kernel("narrow", 2)];
  expect(() => pairsOf(wide, narrow)).toThrow(refusal("models-differ", "[2, 3, 3, 1]", "[2, 2, 3, 1]"));
  expect(() => pairsOf(narrow, wide, "w")).toThrow(refusal("models-differ"));
  const pair = pairsOf(wide, narrow, "w").get("w")!;
  const at = async (omega: number) => [...(await blendTensor(pair, omega))];
  expect(await at(1)).toEqual(Array.from({ length: 18 }, (_, i) => i + 1));
  expect(await at(0)).toEqual([1, 2, 3, 4, 5, 6, 0, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0, 0]);
});
