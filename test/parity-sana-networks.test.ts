/** SANA's networks against Diffusers and Transformers: fixtures of parity/sana_networks.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import {
  connect,
  grad,
  input,
  inputsOf,
  meanSquaredError,
  multiply,
  type Outputs,
  sum,
  type TensorRef,
} from "../src/graph/index.ts";
import { dcConfig, dcDecode, dcEncode } from "../src/models/autoencoder-dc.ts";
import { gemma2, gemma2Config, gemma2Table } from "../src/models/gemma2.ts";
import { moduleOf } from "../src/models/module.ts";
import { sanaCaption, sanaConfig, sanaLinears, sanaPredict } from "../src/models/sana.ts";
import { type Engine, float32, startEngine, type Tensor } from "../src/runtime/index.ts";
import { embeddingRows } from "../src/weights/embedding-rows.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";
import { openVinoMissing } from "./openvino-here.ts";

/** Sums in another order than the reference's differ by a few float32 units; the usual limit is 1e-4. */
const tolerance = 1e-4;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

const folder = "sana-networks";
const json = (file: string) => JSON.parse(readFileSync(fixture(`${folder}/${file}`), "utf8"));
const tensorsOf = async (file: string) => (await readSafetensors(fixture(`${folder}/${file}`))).tensors;

/** The tensors of one variant: its own, else the shared ones. */
async function variantOf(shared: string, own: string, name: string): Promise<Map<string, TensorRef>> {
  const tensors = new Map(await tensorsOf(shared));
  for (const [key, ref] of await tensorsOf(own)) {
    if (key.startsWith(`${name}: `)) tensors.set(key.slice(name.length + 2), ref);
  }
  return tensors;
}

const run = async (outputs: Outputs, feeds: Readonly<Record<string, Tensor>>, by = engine) => {
  const session = await by.compile("network", outputs);
  return session.run(feeds);
};

const shared = "transformer/diffusion_pytorch_model.safetensors";

describe.each(Object.keys(json("transformer-variants.json")))("the transformer, %s", (variant) => {
  test.each(["", "_square"])("predicts as Diffusers does%s", async (shape) => {
    const expected = await reference(`../${folder}/transformer-answers.safetensors`);
    const config = sanaConfig(json("transformer-variants.json")[variant]);
    const module = moduleOf(await variantOf(shared, "transformer-variants.safetensors", variant));
    const text = await run(sanaCaption(module, config), { text: await expected("text"), mask: await expected("mask") });
    const feeds = { latents: await expected(`latents${shape}`), timestep: await expected("timestep"), ...text };
    const { prediction } = await run(sanaPredict(module, config), feeds);
    const answer = await expected(shape === "" ? variant : `${variant}, square`);
    expect(relativeError(prediction!, answer)).toBeLessThan(tolerance);
  });
});

test("leaving out masked tokens gives the same prediction", async () => {
  const expected = await reference(`../${folder}/transformer-answers.safetensors`);
  const config = sanaConfig(json("transformer/config.json"));
  const module = moduleOf(await tensorsOf(shared));
  const first = ({ shape, data }: Tensor): Tensor => ({
    shape: [1, ...shape.slice(1)],
    data: data.subarray(0, data.length / 2) as Float32Array,
  });
  const { data } = await expected("text");
  const one = { text: float32([1, 1, 32], data.subarray(0, 32) as Float32Array), mask: float32([1, 1], [1]) };
  const text = await run(sanaCaption(module, config), one);
  const feeds = { latents: first(await expected("latents")), timestep: first(await expected("timestep")) };
  const { prediction } = await run(sanaPredict(module, config), { ...feeds, ...text });
  expect(relativeError(prediction!, first(await expected("plain")))).toBeLessThan(tolerance);
});

test("a LoRA on queries, keys and values has PEFT's prediction, loss and gradients", async () => {
  const expected = await reference(`../${folder}/transformer-answers.safetensors`);
  const config = sanaConfig(json("transformer/config.json"));
  const weights = await tensorsOf(shared);
  const paths = [...weights.keys()].map((key) => key.replace(/\.weight$/, "")).filter((path) => sanaLinears.test(path));
  const trained = paths.filter((path) => !path.endsWith("to_out.0"));
  expect([paths.length, trained.length]).toEqual([16, 12]);
  const module = moduleOf(weights, { sites: new Set(trained) });
  const { prediction } = connect(sanaPredict(module, config), sanaCaption(module, config));
  const loss = meanSquaredError(prediction!, input("target", prediction!.shape));
  const inputs = inputsOf({ loss });
  const parts = trained.flatMap((path) => [`${path}.down`, `${path}.up`]);
  const gradients = grad(
    loss,
    parts.map((name) => inputs.get(name)!),
  );
  const feeds: Record<string, Tensor> = {};
  for (const name of ["latents", "timestep", "text", "mask", "target"]) feeds[name] = await expected(name);
  const stored = (path: string, part: string) => `${path}.lora_${part === "down" ? "A" : "B"}.weight`;
  for (const path of trained) {
    for (const part of ["down", "up"]) {
      feeds[`${path}.${part}`] = transposed(await expected(`lora: ${stored(path, part)}`));
    }
    feeds[`${path}.strength`] = float32([2, 1, 4], Array(8).fill(2));
  }
  const outputs = Object.fromEntries(gradients.map((value, i) => [`by ${parts[i]}`, value]));
  const found = await run({ found: prediction!, loss, ...outputs }, feeds);
  expect(relativeError(found.found!, await expected("lora"))).toBeLessThan(tolerance);
  expect(relativeError(found.loss!, await expected("loss"))).toBeLessThan(tolerance);
  for (const path of trained) {
    for (const part of ["down", "up"]) {
      const answer = transposed(await expected(`gradient: ${stored(path, part)}`));
      expect(relativeError(found[`by ${path}.${part}`]!, answer), `${path}.${part}`).toBeLessThan(1e-3);
    }
  }
});

const transposed = ({ shape, data }: Tensor): Tensor => {
  const [rows, columns] = shape as [number, number];
  const at = (i: number) => data[(i % rows) * columns + Math.floor(i / rows)]!;
  return float32(
    [columns, rows],
    Array.from(data, (_, i) => at(i)),
  );
};

describe.each(Object.keys(json("vae-forms.json")))("the autoencoder, %s", (form) => {
  // The smaller picture has fewer latents than a head has channels, so the reference multiplies in another order.
  test.each(["", "_small"])("encodes and decodes as Diffusers does%s", async (size) => {
    const expected = await reference(`../${folder}/vae-answers.safetensors`);
    const config = dcConfig(json("vae-forms.json")[form]);
    const module = moduleOf(await variantOf("vae/diffusion_pytorch_model.safetensors", "vae-forms.safetensors", form));
    const { latents } = await run(dcEncode(module, config), { picture: await expected(`picture${size}`) });
    expect(relativeError(latents!, await expected(`${form}: encoded picture${size}`))).toBeLessThan(tolerance);
    const { picture } = await run(dcDecode(module, config), { latents: await expected(`latents${size}`) });
    expect(relativeError(picture!, await expected(`${form}: decoded latents${size}`))).toBeLessThan(tolerance);
  });
});

test("the autoencoder's gradient with respect to its latents is PyTorch's", async () => {
  const expected = await reference(`../${folder}/vae-answers.safetensors`);
  const module = moduleOf(await tensorsOf("vae/diffusion_pytorch_model.safetensors"));
  const { picture } = dcDecode(module, dcConfig(json("vae/config.json")));
  const total = sum(multiply(picture!, input("weights", picture!.shape)));
  const [gradient] = grad(total, [inputsOf({ total }).get("latents")!]);
  const feeds = { latents: await expected("latents_small"), weights: await expected("weights") };
  const found = await run({ gradient: gradient! }, feeds);
  expect(relativeError(found.gradient!, await expected("gradient"))).toBeLessThan(1e-3);
});

test.skipIf(openVinoMissing !== undefined)("OpenVINO computes the same", async () => {
  const openvino = await startEngine({ device: "openvino" });
  const ofTransformer = await reference(`../${folder}/transformer-answers.safetensors`);
  const config = sanaConfig(json("transformer-variants.json").positions);
  const module = moduleOf(await tensorsOf(shared));
  const feeds: Record<string, Tensor> = {};
  for (const name of ["latents", "timestep", "text", "mask"]) feeds[name] = await ofTransformer(name);
  const { prediction } = await run(connect(sanaPredict(module, config), sanaCaption(module, config)), feeds, openvino);
  expect(relativeError(prediction!, await ofTransformer("positions"))).toBeLessThan(tolerance);

  const ofVae = await reference(`../${folder}/vae-answers.safetensors`);
  const vae = moduleOf(await tensorsOf("vae/diffusion_pytorch_model.safetensors"));
  const decoder = dcDecode(vae, dcConfig(json("vae/config.json")));
  const { picture } = await run(decoder, { latents: await ofVae("latents") }, openvino);
  expect(relativeError(picture!, await ofVae("interpolate: decoded latents"))).toBeLessThan(tolerance);

  const ofEncoder = await reference(`../${folder}/text_encoder-answers.safetensors`);
  const weights = await tensorsOf("text_encoder/model.safetensors");
  const ids = await ofEncoder("ids");
  const embeddings = float32([...ids.shape, 32], await embeddingRows(weights, gemma2Table(weights), [...ids.data]));
  const gemma = gemma2(moduleOf(weights), gemma2Config(json("text_encoder/config.json")));
  const { text } = await run(gemma, { embeddings }, openvino);
  expect(relativeError(text!, await ofEncoder("text"))).toBeLessThan(tolerance);
  await openvino.close();
});

describe.each(["text_encoder/config.json", "text_encoder-older.json"])("Gemma with %s", (file) => {
  const open = async () => {
    const expected = await reference(`../${folder}/text_encoder-answers.safetensors`);
    const weights = await tensorsOf("text_encoder/model.safetensors");
    const ids = await expected("ids");
    const rows = await embeddingRows(weights, gemma2Table(weights), [...ids.data]);
    const graph = gemma2(moduleOf(weights), gemma2Config(json(file)));
    return { expected, graph, embeddings: float32([...ids.shape, 32], rows) };
  };

  test("encodes prompts of any length as Transformers does", async () => {
    const { expected, graph, embeddings } = await open();
    const session = await engine.compile("Gemma", graph);
    const { text } = await session.run({ embeddings });
    expect(relativeError(text!, await expected("text"))).toBeLessThan(tolerance);
    const short = [0, 1].flatMap((row) => [...embeddings.data.subarray(row * 256, row * 256 + 96)]);
    const cut = await session.run({ embeddings: float32([2, 3, 32], short) });
    expect(relativeError(cut.text!, await expected("short"))).toBeLessThan(tolerance);
  });

  test("has PyTorch's gradient with respect to the embeddings", async () => {
    const { expected, graph, embeddings } = await open();
    const total = sum(multiply(graph.text!, input("weights", graph.text!.shape)));
    const by = grad(total, [inputsOf({ total }).get("embeddings")!])[0]!;
    // PyTorch's leaf is the output of the embedding module, which multiplies by the root of the width.
    const found = await run(
      { gradient: multiply(by, 1 / Math.sqrt(32)) },
      { embeddings, weights: await expected("weights") },
    );
    expect(relativeError(found.gradient!, await expected("gradient"))).toBeLessThan(1e-3);
  });
});
