import { copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { readFloat32, writeSafetensors } from "../bytes/safetensors.ts";
import type { ErrorCode } from "../errors/index.ts";
import { openCheckpoint } from "./checkpoint.ts";

let root: string;
let made = 0;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "checkpoint-")));
});
afterAll(() => rm(root, { recursive: true }));

async function folder(): Promise<string> {
  const path = join(root, String(made++));
  await mkdir(path);
  return path;
}

/** A file with one-element tensors of these names and values. */
const put = (file: string, values: Record<string, number>) =>
  writeSafetensors(
    file,
    Object.entries(values).map(([name, value]) => ({
      name,
      dtype: "float32" as const,
      shape: [1],
      data: new Uint8Array(Float32Array.of(value).buffer),
    })),
  );
const putIndex = (file: string, weight_map: Record<string, string>) =>
  writeFile(file, JSON.stringify({ metadata: { total_size: 8 }, weight_map }));

const values = async (path: string, variant?: string) => {
  const found: Record<string, number> = {};
  for (const [key, ref] of await openCheckpoint(path, variant)) found[key] = (await readFloat32(ref))[0]!;
  return found;
};

test("the requested variant is used, and the plain file if there is none", async () => {
  const path = await folder();
  await put(join(path, "diffusion_pytorch_model.safetensors"), { w: 32 });
  await put(join(path, "diffusion_pytorch_model.fp16.safetensors"), { w: 16 });
  await put(join(path, "diffusion_pytorch_model.non_ema.safetensors"), { w: 1 });
  expect(await values(path)).toEqual({ w: 32 });
  expect(await values(path, "fp16")).toEqual({ w: 16 });
  expect(await values(path, "non_ema")).toEqual({ w: 1 });
  expect(await values(path, "bf16")).toEqual({ w: 32 });
});

test("a folder with only one variant gives it without being asked", async () => {
  const path = await folder();
  await put(join(path, "model.fp16.safetensors"), { w: 16 });
  expect(await values(path)).toEqual({ w: 16 });
});

test("shards of one model become one checkpoint", async () => {
  const path = await folder();
  await put(join(path, "model-00001-of-00002.safetensors"), { a: 1, b: 2 });
  await put(join(path, "model-00002-of-00002.safetensors"), { c: 3 });
  const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  await putIndex(join(path, "model.safetensors.index.json"), { a: one, b: one, c: two });
  expect(await values(path)).toEqual({ a: 1, b: 2, c: 3 });
});

test.each([
  ["model.fp16-00001-of-00001.safetensors", "model.safetensors.index.fp16.json"],
  ["model-00001-of-00001.fp16.safetensors", "model.safetensors.index.fp16.json"],
  ["model.fp16-00001-of-00001.safetensors", "model.fp16.safetensors.index.json"],
])("variant shards are found as %s with %s", async (shard, index) => {
  const path = await folder();
  await put(join(path, "model.safetensors"), { w: 32 });
  await put(join(path, shard), { w: 16 });
  await putIndex(join(path, index), { w: shard });
  expect(await values(path, "fp16")).toEqual({ w: 16 });
  expect(await values(path)).toEqual({ w: 32 });
});

test("files linked from elsewhere are opened, as in the hub's cache", async () => {
  const path = await folder();
  await put(join(root, "blob"), { w: 5 });
  await symlink(join(root, "blob"), join(path, "model.safetensors"));
  expect((await openCheckpoint(path)).get("w")!.source.path).toBe(join(root, "blob"));
});

test("a missing shard is named", async () => {
  const path = await folder();
  await putIndex(join(path, "model.safetensors.index.json"), { a: "model-00001-of-00001.safetensors" });
  await expect(openCheckpoint(path)).rejects.toThrow(
    refusal("model-incomplete", join(path, "model-00001-of-00001.safetensors"), "model.safetensors.index.json"),
  );
});

test("a shard that lacks a tensor of the index is named with the tensor", async () => {
  const path = await folder();
  await put(join(path, "model-00001-of-00001.safetensors"), { a: 1 });
  const shard = "model-00001-of-00001.safetensors";
  await putIndex(join(path, "model.safetensors.index.json"), { a: shard, b: shard });
  await expect(openCheckpoint(path)).rejects.toThrow(refusal("model-incomplete", join(path, shard), '"b"'));
});

test("a damaged shard is refused even if its tensors come last", async () => {
  const path = await folder();
  await put(join(path, "model-00001-of-00002.safetensors"), { a: 1 });
  await writeFile(join(path, "model-00002-of-00002.safetensors"), Buffer.from("0a00000000000000{}", "latin1"));
  const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  await putIndex(join(path, "model.safetensors.index.json"), { a: one, b: two });
  await expect(openCheckpoint(path)).rejects.toThrow(refusal("not-weights", join(path, two)));
});

test.each([
  "../outside.safetensors",
  "/etc/outside.safetensors",
  "a\\..\\b.safetensors",
  "sub/x.safetensors",
  "model.bin",
])("an index that points to %s is refused", async (target) => {
  const path = await folder();
  await put(join(root, "outside.safetensors"), { a: 1 });
  await putIndex(join(path, "model.safetensors.index.json"), { a: target });
  await expect(openCheckpoint(path)).rejects.toThrow(refusal("index-invalid", '"a"', JSON.stringify(target)));
});

test.each<[string, ErrorCode, ...string[]]>([
  ["[]", "json-unexpected"],
  ['{"weight_map":{"a":1}}', "json-unexpected", "weight_map.a"],
  ['{"weight_map":{}}', "index-invalid"],
  ["{", "json-invalid"],
  [`{"weight_map":${"[".repeat(200_000)}`, "json-invalid"],
  [`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, "json-unexpected", "weight_map"],
  ['{"weight_map":{"__proto__":"model-1.safetensors"}}', "index-invalid"],
])("an invalid index is refused: %.20s", async (text, code, ...facts) => {
  const path = await folder();
  await writeFile(join(path, "model.safetensors.index.json"), text);
  await expect(openCheckpoint(path)).rejects.toThrow(
    refusal(code, join(path, "model.safetensors.index.json"), ...facts),
  );
});

test("PyTorch weights are used if there are no safetensors, sharded ones too", async () => {
  const torch = new URL("../../parity/fixtures/torch/state-dict.pt", import.meta.url);
  const path = await folder();
  await copyFile(torch, join(path, "pytorch_model.bin"));
  expect((await openCheckpoint(path)).get("half")!.dtype).toBe("float16");
  await put(join(path, "model.safetensors"), { w: 1 });
  expect(await values(path)).toEqual({ w: 1 });

  const sharded = await folder();
  const shard = "pytorch_model-00001-of-00001.bin";
  await copyFile(torch, join(sharded, shard));
  await putIndex(join(sharded, "pytorch_model.bin.index.json"), { scalar: shard });
  expect(await values(sharded)).toEqual({ scalar: 9 });
});

test("a variant that only PyTorch files have is taken from them", async () => {
  const path = await folder();
  await put(join(path, "diffusion_pytorch_model.safetensors"), { w: 32 });
  await copyFile(
    new URL("../../parity/fixtures/torch/lone-tensor.pt", import.meta.url),
    join(path, "diffusion_pytorch_model.fp16.bin"),
  );
  expect([...(await openCheckpoint(path, "fp16")).keys()]).toEqual(["diffusion_pytorch_model.fp16"]);
  expect(await values(path)).toEqual({ w: 32 });
});

test("a folder with weights of another name says which names were looked for", async () => {
  const path = await folder();
  await writeFile(join(path, "weights.ckpt"), "");
  await expect(openCheckpoint(path)).rejects.toThrow(refusal("variant-missing", path, "weights.ckpt"));
});

test("a folder with several variants and no plain file lists them", async () => {
  const path = await folder();
  await put(join(path, "model.fp16.safetensors"), { w: 16 });
  await put(join(path, "model.bf16.safetensors"), { w: 16 });
  await expect(openCheckpoint(path)).rejects.toThrow(
    refusal("variant-missing", path, "model.bf16.safetensors", "model.fp16.safetensors"),
  );
});

test("an empty folder and a missing one give different messages", async () => {
  const empty = await folder();
  await expect(openCheckpoint(empty)).rejects.toThrow(refusal("weights-missing", empty, "model.safetensors"));
  const none = join(root, "none");
  await expect(openCheckpoint(none)).rejects.toThrow(refusal("weights-missing", none, "does not exist"));
});
