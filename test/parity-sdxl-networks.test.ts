/** SDXL's networks against Diffusers and Transformers: fixtures of parity/sdxl_networks.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import type { Outputs } from "../src/graph/index.ts";
import { modulesOf } from "../src/models/components.ts";
import { type Module, moduleOf } from "../src/models/module.ts";
import { addedEmbedding, textKeysValues, unet, unetConfig } from "../src/models/unet.ts";
import { type Engine, float32, int32, startEngine, type Tensor } from "../src/runtime/index.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";

/** Sums in another order than the reference's differ by a few float32 units; the usual limit is 1e-4. */
const tolerance = 1e-4;

const expected = await reference("../sdxl-networks/answers.safetensors");
let engine: Engine;
let model: Model;
let modules: (component: string) => Module;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
  model = await openModel(fixture("sdxl-pipeline/model"));
  modules = modulesOf(model.components);
});
afterAll(() => engine.close());

async function run(outputs: Outputs, feeds: Readonly<Record<string, Tensor>>) {
  const session = await engine.compile("network", outputs);
  return session.run(feeds);
}

const joined = (a: Tensor, b: Tensor): Tensor => {
  const [rows, tokens, width] = a.shape as [number, number, number];
  const [, , other] = b.shape as [number, number, number];
  const data = new Float32Array(rows * tokens * (width + other));
  for (let i = 0; i < rows * tokens; i++) {
    data.set(a.data.slice(i * width, (i + 1) * width), i * (width + other));
    data.set(b.data.slice(i * other, (i + 1) * other), i * (width + other) + width);
  }
  return float32([rows, tokens, width + other], data);
};

describe("the text encoders", () => {
  const feeds = async (absent: readonly number[]) => {
    const ids = await expected("ids");
    const learned = float32([1, 16], new Float32Array(16));
    const learned_2 = float32([1, 24], new Float32Array(24));
    // The end tokens stand at 9 and 76: see the script.
    return { ids, ids_2: ids, end: int32([2, 1], [9, 76]), absent: int32([2, 1], absent), learned, learned_2 };
  };

  test.each([
    [0, "text"],
    [1, "skipping"],
  ] as const)(
    "give the states before the last layer, skipping %d, without a norm, and the pooled text",
    async (clipSkip, name) => {
      const found = await run(model.text.graph(modules, { clipSkip }), await feeds([0, 0]));
      const states = joined(await expected(`text_encoder: ${name}`), await expected(`text_encoder_2: ${name}`));
      expect(relativeError(found.text!, states)).toBeLessThan(tolerance);
      expect(relativeError(found.text_embeds!, await expected("text_embeds"))).toBeLessThan(tolerance);
    },
  );

  test("give zeros for a row without text, and leave the others as they are, bit for bit", async () => {
    const both = await run(model.text.graph(modules), await feeds([0, 0]));
    const one = await run(model.text.graph(modules), await feeds([1, 0]));
    for (const name of ["text", "text_embeds"]) {
      const half = both[name]!.data.length / 2;
      expect(one[name]!.data.slice(0, half).every((value) => value === 0)).toBe(true);
      expect(one[name]!.data.slice(half)).toEqual(both[name]!.data.slice(half));
    }
  });
});

describe.each(["latents", "latents_wide"])("the U-Net on %s", (latents) => {
  const feeds = async (prepared: Readonly<Record<string, Tensor>>) => ({
    ...{ latents: await expected(latents), timestep: await expected("timestep") },
    ...prepared,
  });
  const conditions = async () => ({
    ...{ text: await expected("text"), text_embeds: await expected("text_embeds") },
    time_ids: await expected("time_ids"),
  });

  test("predicts as Diffusers does", async () => {
    const prepared = await run(model.denoiser.prepare(modules), await conditions());
    const { prediction } = await run(model.denoiser.predict(modules), await feeds(prepared));
    expect(relativeError(prediction!, await expected(`unet: ${latents}`))).toBeLessThan(tolerance);
  });

  test("with other transformer blocks on the way up predicts as Diffusers does", async () => {
    const folder = fixture("sdxl-networks/unet-reverse");
    const config = unetConfig(JSON.parse(readFileSync(`${folder}/config.json`, "utf8")));
    const { tensors } = await readSafetensors(`${folder}/diffusion_pytorch_model.safetensors`);
    const small = moduleOf(tensors);
    const graph = { ...textKeysValues(small, config), ...addedEmbedding(small, config) };
    const prepared = await run(graph, await conditions());
    const { prediction } = await run(unet(small, config), await feeds(prepared));
    expect(relativeError(prediction!, await expected(`reverse: ${latents}`))).toBeLessThan(tolerance);
  });
});

test("the autoencoder encodes and decodes as Diffusers does", async () => {
  const { encoded } = await run(model.latents.encode(modules), { picture: await expected("picture") });
  expect(relativeError(encoded!, await expected("moments"))).toBeLessThan(tolerance);
  const wide = await expected("latents_wide");
  const one = float32([1, ...wide.shape.slice(1)], wide.data.slice(0, wide.data.length / 2) as Float32Array);
  const { picture } = await run(model.latents.decode(modules), { latents: one });
  expect(relativeError(picture!, await expected("decoded"))).toBeLessThan(tolerance);
});
