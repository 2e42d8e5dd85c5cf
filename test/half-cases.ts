/** The graphs lowered to float16 in tests, with their inputs: tiny networks, and one with large numbers. */
import { readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import type { ByteSource } from "../src/bytes/source.ts";
import { openModel } from "../src/families/open-model.ts";
import * as g from "../src/graph/index.ts";
import { dcConfig, dcDecode } from "../src/models/autoencoder-dc.ts";
import { autoencoderConfig, autoencoderDecode, autoencoderEncode } from "../src/models/autoencoder-kl.ts";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../src/models/clip-vision.ts";
import { gemma2, gemma2Config, gemma2Table } from "../src/models/gemma2.ts";
import { moduleOf } from "../src/models/module.ts";
import { sanaCaption, sanaConfig, sanaPredict } from "../src/models/sana.ts";
import { textKeysValues, unet, unetConfig } from "../src/models/unet.ts";
import { vit, vitConfig } from "../src/models/vit.ts";
import { float32, type Tensor, targets } from "../src/runtime/index.ts";
import { denoisingLoss, withGradients } from "../src/training/objective/losses.ts";
import { projections } from "../src/training/objective/trained.ts";
import { embeddingRows } from "../src/weights/embedding-rows.ts";
import { fixture, reference } from "./fixtures.ts";

/** A CPU target with float16; `plain` has no fused operators, as on some GPUs. */
export const half: g.Target = { ...targets.cpu, real: "float16" };
const plain: g.Target = { ...half, fused: new Set() };

export interface HalfCase {
  readonly name: string;
  readonly target: g.Target;
  readonly outputs: g.Outputs;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

type Weights = ReadonlyMap<string, g.TensorRef>;

/** Weights with file names relative to `parity/fixtures/`, so that the encoded graph is the same bytes everywhere. */
export const placedInFixtures = (weights: Weights): Weights =>
  new Map([...weights].map(([key, ref]) => [key, { ...ref, source: placed(ref.source) }]));

const placed = (source: ByteSource): ByteSource => {
  const path = `/${relative(fixture(""), source.path!).split(sep).join("/")}`;
  return { ...source, name: path, path };
};

/** All cases, their weights passed through `place`. */
export async function halfCases(place: (weights: Weights) => Weights = (weights) => weights): Promise<HalfCase[]> {
  const cases: HalfCase[] = [];
  const add = (name: string, outputs: g.Outputs, feeds: Readonly<Record<string, Tensor>>, target = half) =>
    cases.push({ name, target, outputs, feeds });

  for (const [name, variant] of [
    ["sd15", undefined],
    ["sd21", undefined],
    ["sd21-v", undefined],
    ["sd15-fp16", "fp16"],
  ] as const) {
    const model = await openModel(fixture(`pipelines/${name}`), { variant });
    const given = await reference(`networks-${name}.safetensors`);

    const textConfig = clipTextConfig(model.components.get("text_encoder")!.config);
    const text = clipText(moduleOf(place(model.components.get("text_encoder")!.weights)), textConfig);
    const ids = { ids: await given("ids"), learned: zeros([1, textConfig.hidden_size]) };
    add(`${name} text encoder`, text, ids);
    if (name === "sd15") add(`${name} text encoder, plain`, text, ids, plain);

    const config = unetConfig(model.components.get("unet")!.config);
    const sites = name === "sd15" ? projections(model, "unet") : undefined;
    const module = moduleOf(place(model.components.get("unet")!.weights), { sites });
    const denoiser = g.connect(unet(module, config), textKeysValues(module, config));
    const latents = await given("latents_odd");
    const factors = [...g.inputsOf(denoiser)].flatMap(([input, { shape }], i): [string, Tensor][] => {
      const sizes = shape.map((d) => (typeof d === "number" ? d : g.dimKey(d) === "batch" ? latents.shape[0]! : 2));
      if (input.endsWith(".strength")) return [[input, float32(sizes, Array(size(sizes)).fill(0.6))]];
      return /\.(down|up)$/.test(input) ? [[input, waves(sizes, 0.1, i)]] : [];
    });
    const adapters = Object.fromEntries(factors);
    const timestep = await given("timesteps");
    const denoised = { text: await given("context"), latents, timestep, ...adapters };
    add(`${name} U-Net`, denoiser, denoised);
    if (name === "sd21") add(`${name} U-Net, plain`, denoiser, denoised, plain);

    const vae = moduleOf(place(model.components.get("vae")!.weights));
    const vaeConfig = autoencoderConfig(model.components.get("vae")!.config);
    add(`${name} encoder`, autoencoderEncode(vae, vaeConfig), { picture: await given("vae_picture") });
    add(`${name} decoder`, autoencoderDecode(vae, vaeConfig), { latents: await given("vae_latents") });
  }

  const features = await reference("../encoders/features.safetensors");
  const encoder = async (name: string) => ({
    module: moduleOf(place((await readSafetensors(fixture(`encoders/${name}/model.safetensors`))).tensors)),
    config: JSON.parse(readFileSync(fixture(`encoders/${name}/config.json`), "utf8")),
  });
  const [clip, dino] = [await encoder("clip"), await encoder("vit")];
  const picture = await features("pictures");
  add("CLIP vision", clipVision(clip.module, clipVisionConfig(clip.config.vision_config)), { picture });
  add("ViT", vit(dino.module, vitConfig(dino.config)), { picture });
  const ids = await features("ids");
  const [rows, positions] = ids.shape as [number, number];
  const end = new Float32Array(rows * positions);
  for (let row = 0; row < rows; row++) end[(row + 1) * positions - 1] = 1;
  const text = clipText(clip.module, clipTextConfig(clip.config.text_config)).text!;
  add(
    "CLIP text",
    { features: clipTextFeatures(clip.module, text) },
    { ids, end: float32([rows, positions, 1], end), learned: zeros([1, clip.config.text_config.hidden_size]) },
  );

  for (const [name, outputs, feeds] of await sanaNetworks(place)) {
    add(name, outputs, feeds);
    if (name === "SANA transformer") add(`${name}, plain`, outputs, feeds, plain);
  }

  const large = largeNumbers();
  add("large numbers", large.outputs, large.feeds);
  add("large numbers, plain", large.outputs, large.feeds, plain);
  return cases;
}

/** SANA's transformer with its caption graph, also with SANA 1.5's norms and with position embeddings; its decoder; Gemma. */
async function sanaNetworks(place: (weights: Weights) => Weights) {
  const folder = "sana-networks";
  const json = (file: string) => JSON.parse(readFileSync(fixture(`${folder}/${file}`), "utf8"));
  const weights = async (file: string) => (await readSafetensors(fixture(`${folder}/${file}.safetensors`))).tensors;
  const answers = (network: string) => reference(`../${folder}/${network}-answers.safetensors`);
  const feedsOf = async (given: (name: string) => Promise<Tensor>, names: readonly string[]) =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await given(name)] as const)));

  const plainWeights = await weights("transformer/diffusion_pytorch_model");
  const given = await answers("transformer");
  const feeds = await feedsOf(given, ["latents", "timestep", "text", "mask"]);
  const transformer = (config: object, tensors: Weights) => {
    const module = moduleOf(place(tensors));
    const parsed = sanaConfig({ ...json("transformer/config.json"), ...config });
    return g.connect(sanaPredict(module, parsed), sanaCaption(module, parsed));
  };
  const own = [...(await weights("transformer-variants"))].flatMap(([key, ref]): [string, g.TensorRef][] =>
    key.startsWith("qk_norm: ") ? [[key.slice("qk_norm: ".length), ref]] : [],
  );
  const newer = { qk_norm: "rms_norm_across_heads", interpolation_scale: 2 };

  const vae = moduleOf(place(await weights("vae/diffusion_pytorch_model")));
  const pictures = await answers("vae");
  const encoder = await weights("text_encoder/model");
  const { data, shape } = await (await answers("text_encoder"))("ids");
  const rows = await embeddingRows(encoder, gemma2Table(encoder), [...data]);
  return [
    ["SANA transformer", transformer({}, plainWeights), feeds],
    ["SANA 1.5 transformer", transformer(newer, new Map([...plainWeights, ...own])), feeds],
    ["SANA decoder", dcDecode(vae, dcConfig(json("vae/config.json"))), await feedsOf(pictures, ["latents"])],
    [
      "Gemma",
      gemma2(moduleOf(place(encoder)), gemma2Config(json("text_encoder/config.json"))),
      { embeddings: float32([...shape, 32], rows) },
    ],
  ] as const;
}

/** A denoising loss with its gradients with respect to low-rank factors of U-Net and text encoder and a learned token. */
export async function trainingStep(): Promise<Pick<HalfCase, "outputs" | "feeds">> {
  const model = await openModel(fixture("pipelines/sd15"));
  const lowRank = new Map(["unet", "text_encoder"].map((name) => [name, projections(model, name)]));
  const loss = denoisingLoss(model, { lowRank, rank: 4, alpha: 4, matrices: new Map(), vectors: 2 });
  const inputs = g.inputsOf({ loss });
  const trained = [...inputs.keys()].filter((name) => /\.(down|up)$|^learned$/.test(name));
  const [vocabulary] = model.components
    .get("text_encoder")!
    .weights.get("text_model.embeddings.token_embedding.weight")!.shape as [number];
  const sizes: Record<string, number> = { batch: 2, height: 8, width: 8, "learned tokens": 2 };
  const feeds = [...inputs].map(([name, { shape, dtype }], i): [string, Tensor] => {
    const concrete = shape.map((d) => (typeof d === "number" ? d : (sizes[g.dimKey(d)] ?? 4))); // ranks are 4
    const filled = (value: number) => float32(concrete, Array(size(concrete)).fill(value));
    const ids = Int32Array.from({ length: size(concrete) }, (_, j) => (j % 11 === 5 ? vocabulary : (j * 7 + 3) % 60));
    if (dtype === "int32") return [name, { shape: concrete, data: ids }];
    if (name === "timestep") return [name, float32(concrete, [801, 301])];
    if (name === "weights") return [name, filled(1 / (2 * 4 * 64))];
    if (name.endsWith(".strength")) return [name, filled(1)];
    return [name, waves(concrete, trained.includes(name) ? 0.2 : 1.7, i)];
  });
  return { outputs: withGradients(loss, trained), feeds: Object.fromEntries(feeds) };
}

/**
 * Normalisations of numbers near 65504, float16's maximum. Their sums and squares overflow, and so does the sum of 70,000 equal
 * exponentials: in half precision all results would be infinite or zero.
 */
function largeNumbers(): Pick<HalfCase, "outputs" | "feeds"> {
  const filled = (shape: readonly number[], value: number) => g.constant(shape, Array(size(shape)).fill(value));
  const x = g.input("x", [g.symbol("batch"), 8, 6, 6]);
  const mix = g.constant([8, 8, 1, 1], waves([8, 8, 1, 1], 1, 3).data as Float32Array);
  const wide = g.conv(x, mix); // [batch, 8, 6, 6], float16
  const normalised = g.groupNorm(wide, 2, filled([8, 1, 1], 1.5), filled([8, 1, 1], -0.5), 1e-5);
  const tokens = g.transpose(g.reshape(wide, [x.shape[0]!, 8, 36]), [0, 2, 1]);
  const standard = g.layerNorm(tokens, filled([8], 1), filled([8], 0), 1e-5); // [batch, 36, 8]
  const strong = g.multiply(standard, 30); // scores of some hundreds, with masked positions
  return {
    outputs: {
      normalised: g.conv(g.silu(normalised), mix),
      standard,
      attended: g.attention(strong, strong, standard, 2, { causal: true }),
      mean: g.mean(wide, [1, 2, 3]),
      shares: g.sum(g.softmax(g.input("equal", [1, 70_000])), [1]),
    },
    feeds: { x: waves([2, 8, 6, 6], 20_000, 1), equal: zeros([1, 70_000]) },
  };
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const zeros = (shape: readonly number[]): Tensor => float32(shape, new Float32Array(size(shape)));

/** Numbers between -height and height, the same on every machine. */
function waves(shape: readonly number[], height: number, seed: number): Tensor {
  let state = seed + 1;
  return float32(
    shape,
    Float32Array.from({ length: size(shape) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return ((state >>> 8) / 2 ** 23 - 1) * height;
    }),
  );
}

/** The norm of the difference relative to that of the expected vector. */
export function distance(found: Tensor, expected: Tensor): number {
  if (String(found.shape) !== String(expected.shape)) return Number.POSITIVE_INFINITY;
  const length = (value: (i: number) => number) =>
    Math.sqrt([...expected.data.keys()].reduce((sum, i) => sum + value(i) ** 2, 0));
  return length((i) => found.data[i]! - expected.data[i]!) / length((i) => expected.data[i]!);
}

/** The gradients among the outputs, as one vector. */
export function joined(results: Readonly<Record<string, Tensor>>, names: readonly string[]): Tensor {
  const data = Float32Array.from(names.filter((name) => name !== "loss").flatMap((name) => [...results[name]!.data]));
  return { shape: [data.length], data };
}
