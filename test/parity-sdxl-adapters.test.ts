/** Adapters of SDXL in every spelling that people share: whole pictures against Diffusers' (parity/sdxl_adapters.py). */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LowRank, readAdapter } from "../src/adapters/index.ts";
import { readBytes, readSafetensors, type TensorData, writeSafetensors } from "../src/bytes/safetensors.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import { type AdapterStrength, inspect, type PictureRequest, Pipeline } from "../src/index.ts";
import { agreement, fixture, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Case {
  readonly name: string;
  readonly adapter: string;
  readonly strength?: AdapterStrength;
  readonly request: PictureRequest;
}

const { cases } = JSON.parse(readFileSync(fixture("sdxl-adapters/cases.json"), "utf8")) as { readonly cases: Case[] };
const pictures = await reference("../sdxl-adapters/pictures.safetensors");
const place = fixture("sdxl-pipeline/model");
const file = (name: string) => fixture(`sdxl-adapters/${name}.safetensors`);

let folder: string;
let pipeline: Pipeline;
let model: Model;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sdxl-"));
  model = await openModel(place);
  pipeline = await Pipeline.load(place, { device: "cpu" });
});
afterAll(async () => {
  await pipeline.close();
  await rm(folder, { recursive: true });
});

async function draw(request: PictureRequest) {
  const warnings: string[] = [];
  for await (const event of pipeline.generate(request)) {
    if (event.type === "warning") warnings.push(event.message);
    if (event.type === "picture") return { picture: event, warnings };
  }
  throw new Error("no picture came");
}

describe("the picture is Diffusers':", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, { adapter, strength = 1, request }) => {
    await pipeline.setAdapters([{ file: fixture(`sdxl-adapters/${adapter}`), strength }]);
    const { picture, warnings } = await draw(request);
    expect(warnings).toEqual([]);
    expect(agreement(picture.data, (await pictures(name)).data)).toBeGreaterThanOrEqual(0.999);
  });
});

describe("one open SDXL", () => {
  const request: PictureRequest = { prompt: "a red cat", guidance: "pg", omega: 0.3, negative: "", steps: 2 };

  test("draws with attention LoRAs of any spelling and strengths of any component in the same networks", async () => {
    await pipeline.setAdapters([file("diffusers")]);
    await draw(request);
    const before = pipeline.sessionsBuilt;
    const files = ["diffusers-4", "peft", "kohya", "kohya-ldm", "comfy", "pair"];
    for (const name of files) await pipeline.setAdapters([`${file(name)}:unet=0.5,text_encoder_2=0.2`]);
    await draw(request);
    expect(pipeline.sessionsBuilt).toBe(before);
  });

  test("warns of a strength for an encoder that the adapter does not change", async () => {
    await pipeline.setAdapters([`${file("pair")}:text_encoder_2=0.5`]);
    expect((await draw(request)).warnings).toEqual([expect.stringContaining("text_encoder_2=0.5")]);
  });

  test("refuses a strength for a component that it does not have", async () => {
    await expect(pipeline.setAdapters([`${file("pair")}:text_encoder_3=0.5`])).rejects.toThrow(
      refusal("setting-invalid", "text_encoder_3", "text_encoder_2"),
    );
  });
});

const values = (lowRank: ReadonlyMap<string, ReadonlyMap<string, LowRank>>) =>
  [...lowRank]
    .map(([component, modules]) => ({
      component,
      modules: [...modules]
        .map(([path, { down, up, scale }]) => ({ path, scale, down: [...down.data], up: [...up.data] }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    }))
    .sort((a, b) => (a.component < b.component ? -1 : 1));

test.each([
  ["diffusers", "diffusers-4"],
  ["kohya-ldm", "kohya"],
  ["kohya-ldm", "comfy"],
  ["kohya-ldm-wide", "kohya-wide"],
])("%s and %s hold the same changes", async (one, other) => {
  const [a, b] = [await readAdapter(file(one), model), await readAdapter(file(other), model)];
  expect([...a.lowRank.keys()].sort()).toEqual(["text_encoder", "text_encoder_2", "unet"]);
  expect(values(a.lowRank)).toEqual(values(b.lowRank));
});

async function tensorsOf(name: string): Promise<TensorData[]> {
  const { tensors } = await readSafetensors(name);
  const all = [...tensors].map(async ([key, ref]) => ({
    ...{ name: key, dtype: ref.dtype, shape: ref.shape },
    data: await readBytes(ref),
  }));
  return Promise.all(all);
}

test("PEFT's folders by component hold both text encoders' changes", async () => {
  const all = await tensorsOf(file("peft"));
  for (const component of ["unet", "text_encoder", "text_encoder_2"]) {
    const own = all.filter(({ name }) => name.startsWith(`${component}.`));
    const renamed = own.map((one) => ({ ...one, name: one.name.replace(`${component}.`, "base_model.model.") }));
    await mkdir(join(folder, "peft", component), { recursive: true });
    await writeSafetensors(join(folder, "peft", component, "adapter_model.safetensors"), renamed);
    const config = { peft_type: "LORA", r: 2, lora_alpha: 3 };
    await writeFile(join(folder, "peft", component, "adapter_config.json"), JSON.stringify(config));
  }
  const [folders, single] = [await readAdapter(join(folder, "peft"), model), await readAdapter(file("peft"), model)];
  expect(values(folders.lowRank)).toEqual(values(single.lowRank));
});

describe("adapters for another family are refused in a sentence with both names:", () => {
  const sd = fixture("pipelines/sd15");
  test.each(["diffusers", "kohya-ldm", "kohya", "comfy"])("SDXL's LoRA %s on Stable Diffusion", async (name) => {
    await expect(readAdapter(file(name), await openModel(sd))).rejects.toThrow(
      refusal("adapter-other-model", "Stable Diffusion XL", "sd15"),
    );
  });
  test.each(["lora-peft", "lora-diffusers", "lora-diffusers-old", "lora-kohya", "lora-sd21"])(
    "Stable Diffusion's %s on SDXL",
    async (name) => {
      await expect(readAdapter(fixture(`adapters/${name}.safetensors`), model)).rejects.toThrow(
        refusal("adapter-other-model", "Stable Diffusion 1.x or 2.x", `model (${model.family})`),
      );
    },
  );
  test("a LoRA of a text encoder alone, in kohya's names", async () => {
    const only = (await tensorsOf(fixture("adapters/lora-kohya.safetensors"))).filter(({ name }) =>
      name.startsWith("lora_te_"),
    );
    const name = join(folder, "text.safetensors");
    await writeSafetensors(name, only);
    await expect(readAdapter(name, model)).rejects.toThrow(
      refusal("adapter-other-model", "Stable Diffusion 1.x or 2.x"),
    );
  });
  test("SDXL's embedding on Stable Diffusion", async () => {
    await expect(readAdapter(fixture("sdxl-pipeline/cat-toy.safetensors"), await openModel(sd))).rejects.toThrow(
      refusal("adapter-other-model", "Stable Diffusion XL", "sd15"),
    );
  });
});

describe("embeddings", () => {
  const vectors = (width: number, count: number, name: string): TensorData => ({
    ...{ name, dtype: "float32", shape: [count, width] },
    data: new Uint8Array(new Float32Array(width * count).fill(0.25).buffer),
  });
  const read = async (name: string, tensors: readonly TensorData[], metadata = {}) => {
    await writeSafetensors(join(folder, name), tensors, metadata);
    const { tokens, warnings } = await readAdapter(join(folder, name), model);
    const counts = [...tokens].map(([component, table]) => [
      component,
      Object.fromEntries([...table].map(([token, rows]) => [token, rows.length])),
    ]);
    return { tokens: Object.fromEntries(counts), warnings };
  };
  const pair = [vectors(16, 2, "clip_l"), vectors(24, 2, "clip_g")];

  test("for both text encoders are one token, named after the file", async () => {
    expect(await read("toy.safetensors", pair)).toEqual({
      tokens: { text_encoder: { toy: 2 }, text_encoder_2: { toy: 2 } },
      warnings: [],
    });
  });
  test("of Diffusers' advanced scripts are numbered tokens", async () => {
    const tokens = { "<s0>": 1, "<s1>": 1 };
    expect((await read("toy_emb.safetensors", pair)).tokens).toEqual({ text_encoder: tokens, text_encoder_2: tokens });
  });
  test("that Tiller trained are the token of their metadata", async () => {
    const metadata = { tiller: JSON.stringify({ recipe: "dreambooth-ti", token: "<toy>" }) };
    const tokens = { "<toy>": 2 };
    expect((await read("x.safetensors", pair, metadata)).tokens).toEqual({
      text_encoder: tokens,
      text_encoder_2: tokens,
    });
  });
  test.each([
    ["width 16", vectors(16, 1, "<cat>"), "text_encoder", "<cat>"],
    ["width 24", vectors(24, 1, "emb_params"), "text_encoder_2", "one"],
  ])("of %s alone are that encoder's, with a warning", async (_, tensor, component, token) => {
    const found = await read("one.safetensors", [tensor]);
    expect(found.tokens).toEqual({ [component]: { [token]: 1 } });
    expect(found.warnings).toEqual([expect.stringContaining(token)]);
  });
  test("bundled with a LoRA are the bundle's token in both", async () => {
    const bundled = pair.map((one) => ({ ...one, name: `bundle_emb.toy.${one.name}` }));
    const { tokens } = await read("bundle.safetensors", [...(await tensorsOf(file("kohya"))), ...bundled]);
    expect(tokens).toEqual({ text_encoder: { toy: 2 }, text_encoder_2: { toy: 2 } });
  });
  test("of different lengths, or of no encoder's width, are refused", async () => {
    await expect(read("a.safetensors", [pair[0]!, vectors(24, 3, "clip_g")])).rejects.toThrow(
      refusal("adapter-damaged", "2", "3"),
    );
    await expect(read("b.safetensors", [vectors(20, 1, "<cat>")])).rejects.toThrow(
      refusal("adapter-other-model", "16 or 24"),
    );
  });
});

test.each(["diffusers", "kohya-ldm", "comfy"])(
  "inspect names the parts of the LoRA %s and its family",
  async (name) => {
    const [found] = [await inspect(file(name))];
    expect(found).toMatchObject({ kind: "lora", family: "Stable Diffusion XL", obstacles: [] });
    const { groups } = found as Extract<typeof found, { kind: "lora" }>;
    expect(new Set(groups.map(({ part }) => part))).toEqual(new Set(["U-Net", "text encoder", "text encoder 2"]));
  },
);
