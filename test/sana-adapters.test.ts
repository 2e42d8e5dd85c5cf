/** A SANA LoRA in all common spellings, written by Tiller, and inspected. The model is that of parity/sana_pictures.py. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LowRank, readAdapter, writeLora } from "../src/adapters/index.ts";
import type { Base } from "../src/adapters/kind.ts";
import { readBytes, readSafetensors, type TensorData, writeSafetensors } from "../src/bytes/safetensors.ts";
import { openModel } from "../src/families/open-model.ts";
import { inspect } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const file = fixture("sana-pipeline/lora.safetensors");
let folder: string;
let model: Base;
let tensors: TensorData[];
let metadata: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sana-"));
  model = await openModel(fixture("sana-pipeline/model"));
  const read = await readSafetensors(file);
  metadata = read.metadata;
  tensors = await Promise.all(
    [...read.tensors].map(async ([name, ref]) => ({
      ...{ name, dtype: ref.dtype, shape: ref.shape },
      data: await readBytes(ref),
    })),
  );
});
afterAll(() => rm(folder, { recursive: true }));

let serial = 0;
async function written(rename: (key: string) => string, extra: readonly TensorData[] = [], meta = metadata) {
  const target = join(folder, `${serial++}.safetensors`);
  await writeSafetensors(target, [...tensors.map((one) => ({ ...one, name: rename(one.name) })), ...extra], meta);
  return target;
}

const plain = (modules: ReadonlyMap<string, LowRank> | undefined) =>
  [...(modules ?? [])]
    .map(([path, { down, up, scale }]) => [path, [...down.data], [...up.data], scale] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
const read = async (from: string) => plain((await readAdapter(from, model)).lowRank.get("transformer"));

/** The metadata has alpha 8, with rank 4. */
test("alpha comes from the file's metadata, else it is the rank", async () => {
  const scales = async (from: string) => [...new Set((await read(from)).map(([, , , scale]) => scale))];
  expect(await scales(file)).toEqual([2]);
  expect(await scales(await written((key) => key, [], { format: "pt" }))).toEqual([1]);
});

describe("a SANA LoRA is the same", () => {
  const spelt: Readonly<Record<string, (key: string) => string>> = {
    "with lora.down and lora.up": (key) => key.replace("lora_A", "lora.down").replace("lora_B", "lora.up"),
    "with lora_down and lora_up": (key) => key.replace("lora_A", "lora_down").replace("lora_B", "lora_up"),
    "with the adapter's name left in": (key) => key.replace(/lora_([AB])/, "lora_$1.default"),
    "without a prefix": (key) => key.replace("transformer.", ""),
    "with PEFT's own prefix": (key) => key.replace("transformer.", "base_model.model."),
    "with both prefixes": (key) => `base_model.model.${key}`,
    "under diffusion_model": (key) => key.replace("transformer.", "diffusion_model."),
    "with flat names": (key) => {
      const [, path, end] = /^transformer\.(.*)\.lora_([AB])\.weight$/.exec(key)!;
      return `lora_transformer_${path!.replaceAll(".", "_")}.lora_${end === "A" ? "down" : "up"}.weight`;
    },
  };
  test.each(Object.entries(spelt))("%s", async (_, rename) => {
    expect(await read(await written(rename))).toEqual(await read(file));
  });

  test("with alphas beside its factors", async () => {
    const alphas = tensors
      .filter(({ name }) => name.includes("lora_A"))
      .map(({ name }): TensorData => {
        const data = new Uint8Array(Float32Array.of(8).buffer);
        return { name: name.replace(".lora_A.weight", ".alpha"), dtype: "float32", shape: [], data };
      });
    expect(await read(await written((key) => key, alphas, { format: "pt" }))).toEqual(await read(file));
  });

  test("after Tiller has written it", async () => {
    const { lowRank } = await readAdapter(file, model);
    const target = join(folder, "own.safetensors");
    await writeLora(target, lowRank);
    expect(await read(target)).toEqual(await read(file));
    const keys = [...(await readSafetensors(target)).tensors.keys()].sort();
    expect(keys).toEqual(tensors.map(({ name }) => name).sort());
  });
});

describe("is refused by kind:", () => {
  test("a SANA LoRA with its authors' layer names", async () => {
    const own = (key: string) =>
      key.replace(/^.*blocks\.(\d).attn\d\.to_./, "diffusion_model.blocks.$1.cross_attn.q_linear");
    const only = tensors.filter(({ name }) => name.includes("attn2.to_q"));
    const target = join(folder, "own-names.safetensors");
    await writeSafetensors(
      target,
      only.map((one) => ({ ...one, name: own(one.name) })),
      metadata,
    );
    await expect(readAdapter(target, model)).rejects.toThrow(refusal("adapter-unsupported", "SANA", target));
  });

  test("a SANA LoRA given to Stable Diffusion, and the other way round", async () => {
    const other = await openModel(fixture("pipelines/sd15"));
    await expect(readAdapter(file, other)).rejects.toThrow(refusal("adapter-other-model", file));
    const theirs = fixture("adapters/lora-peft.safetensors");
    await expect(readAdapter(theirs, model)).rejects.toThrow(refusal("adapter-other-model", theirs));
  });

  test("an embedding, which SANA's text encoder does not take", async () => {
    const embedding = fixture("adapters/ti.safetensors");
    await expect(readAdapter(embedding, model)).rejects.toThrow(refusal("adapter-other-model", embedding));
  });
});

test("inspect describes a SANA folder and its LoRA", async () => {
  expect(await inspect(fixture("sana-pipeline/model"))).toMatchObject({
    kind: "model",
    family: "SANA",
    class: "SanaPipeline",
  });
  const found = await inspect(file);
  expect(found).toMatchObject({ kind: "lora", format: "PEFT", modules: 12, ranks: [4], obstacles: [] });
  expect("groups" in found && found.groups.map(({ part, group, alphas }) => [part, group, alphas])).toEqual([
    ["transformer", "self-attention", [8]],
    ["transformer", "cross-attention", [8]],
  ]);
});
