/** Hostile files: networks, adapters, embeddings and checkpoints with non-finite or too large numbers are refused. */
import { cp, mkdir, mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAdapter } from "../src/adapters/index.ts";
import { refuseNotFinite } from "../src/bytes/refuse-not-finite.ts";
import { writeSafetensors } from "../src/bytes/safetensors.ts";
import type { ErrorCode } from "../src/errors/index.ts";
import { openModel } from "../src/families/open-model.ts";
import {
  type LoadOptions,
  type PictureRequest,
  Pipeline,
  readFloat32,
  readSafetensors,
  type TrainingMethodName,
  type TrainingRequest,
  train,
} from "../src/index.ts";
import { openClip, openViT } from "../src/metrics/encoders.ts";
import { type Engine, startEngine } from "../src/runtime/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const model = fixture("pipelines/sd15");
let folder: string;
let images: string;
let engine: Engine;
let serial = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-hostile-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache"); // where blends go
  images = join(folder, "images");
  await mkdir(images);
  await sharp({ create: { width: 32, height: 32, channels: 3, background: "teal" } }).toFile(join(images, "a.png"));
  engine = await startEngine();
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

interface Contents {
  readonly tensors: Map<string, { shape: readonly number[]; data: Float32Array }>;
  readonly metadata: Record<string, string>;
}
type Change = (contents: Contents) => void;

/** A modified copy of a tensor file. */
async function changed(file: string, change: Change, to = join(folder, `${serial++}.safetensors`)): Promise<string> {
  const { tensors, metadata } = await readSafetensors(file);
  const contents: Contents = { tensors: new Map(), metadata: { ...metadata } };
  for (const [name, ref] of tensors) contents.tensors.set(name, { shape: ref.shape, data: await readFloat32(ref) });
  change(contents);
  const written = [...contents.tensors].map(([name, { shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { name, dtype: "float32" as const, shape, data: bytes };
  });
  await writeSafetensors(to, written, contents.metadata);
  return to;
}

/** Writes a number into a tensor. */
const put =
  (name: string, value: number): Change =>
  ({ tensors }) => {
    const { data } = tensors.get(name)!;
    data[data.length >> 1] = value;
  };

/** Writes settings of the U-Net into a LoRA's PEFT metadata. */
const peft =
  (settings: Readonly<Record<string, unknown>>): Change =>
  ({ metadata }) => {
    const config = JSON.parse(metadata.lora_adapter_metadata!);
    for (const [name, value] of Object.entries(settings)) config[`unet.${name}`] = value;
    metadata.lora_adapter_metadata = JSON.stringify(config);
  };

const site = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
const kohya = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q";

describe("an adapter with", () => {
  const lora = (name: string) => fixture(`adapters/lora-${name}.safetensors`);

  test.each<[what: string, of: string, Change, ErrorCode, ...facts: string[]]>([
    ["NaN in a factor", "peft", put(`unet.${site}.lora_A.weight`, nan), "adapter-not-finite", `${site}.lora_A`],
    ["infinity in a factor", "peft", put(`unet.${site}.lora_B.weight`, -infinity), "adapter-not-finite", site],
    ["1e30 in a factor", "peft", put(`unet.${site}.lora_B.weight`, 1e30), "adapter-not-finite", `${site}.lora_B`],
    ["lora_alpha 1e30", "peft", peft({ lora_alpha: 1e30 }), "adapter-not-finite", "2.5e+29"],
    ["alpha_pattern 1e30", "peft", peft({ alpha_pattern: { [site]: 1e30 } }), "adapter-not-finite", site, "2.5e+29"],
    ["a stored alpha of NaN", "kohya", put(`${kohya}.alpha`, nan), "adapter-not-finite", `${kohya}.alpha`],
    ["a stored alpha of 1e8 and factors of 1e4", "kohya", loud(kohya, 1e8, 1e4), "adapter-not-finite", site],
    ["a stored alpha below 0", "kohya", put(`${kohya}.alpha`, -2), "adapter-damaged", `${kohya}.alpha`, "-2"],
    ["lora_alpha below 0", "peft", peft({ lora_alpha: -4 }), "adapter-metadata", "lora_alpha"],
    ["lora_alpha 0", "peft", peft({ lora_alpha: 0 }), "adapter-metadata", "lora_alpha"],
    ["lora_alpha as text", "peft", peft({ lora_alpha: "4" }), "adapter-metadata", "lora_alpha"],
    [
      "an alpha_pattern below 0",
      "peft",
      peft({ alpha_pattern: { to_q: -1 } }),
      "adapter-metadata",
      "alpha_pattern.to_q",
    ],
    ["r 0", "peft", peft({ r: 0 }), "adapter-metadata", "r:"],
    ["r -1", "peft", peft({ r: -1 }), "adapter-metadata", "r:"],
    ["r 2.5", "peft", peft({ r: 2.5 }), "adapter-metadata", "r:"],
    ["r 999", "peft", peft({ r: 999 }), "adapter-metadata", "999", "rank 4"],
    ["a rank_pattern of 0", "peft", peft({ rank_pattern: { to_q: 0 } }), "adapter-metadata", "rank_pattern.to_q"],
    ["ranks that no tensor has", "peft", peft({ r: 8, rank_pattern: { x: 16 } }), "adapter-metadata", "rank 8"],
  ])("%s is refused", async (_, of, change, code, ...facts) => {
    const file = await changed(lora(of), change);
    await expect(readAdapter(file, await openModel(model))).rejects.toThrow(refusal(code, file, ...facts));
  });

  test("a rank pattern is accepted", async () => {
    const file = await changed(lora("peft"), peft({ r: 8, rank_pattern: { "^.*": 4 } }));
    expect((await readAdapter(file, await openModel(model))).lowRank.get("unet")?.has(site)).toBe(true);
  });

  const matrix = "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_custom_diffusion.weight";
  test.each([nan, infinity, 1e20])("%d in a matrix of Custom Diffusion is refused", async (value) => {
    const whole = fixture("adapters/custom-diffusion/pytorch_custom_diffusion_weights.safetensors");
    const file = await changed(whole, put(matrix, value));
    await expect(readAdapter(file, await openModel(model))).rejects.toThrow(
      refusal("adapter-not-finite", file, matrix),
    );
  });

  test.each<[token: string, value: number, ErrorCode]>([
    ["<cat>", nan, "adapter-not-finite"],
    ["<cat>", infinity, "adapter-not-finite"],
    ["<cat>", 1e38, "adapter-not-finite"],
    ["", 0.1, "adapter-damaged"],
    [" ", 0.1, "adapter-damaged"],
    ["\n", 0.1, "adapter-damaged"],
  ])("the token %j and an embedding with %d is refused", async (token, value, code) => {
    const data = new Float32Array(32).fill(0.1).fill(value, 7, 8);
    const file = await changed(lora("peft"), ({ tensors }) => {
      tensors.clear();
      tensors.set(token, { shape: [32], data });
    });
    await expect(readAdapter(file, await openModel(model))).rejects.toThrow(
      refusal(code, file, JSON.stringify(token).slice(1, -1)),
    );
  });
});

/** A module whose factors are small enough but whose product is too large. */
function loud(name: string, alpha: number, factor: number): Change {
  return (contents) => {
    put(`${name}.alpha`, alpha)(contents);
    for (const half of ["down", "up"]) put(`${name}.lora_${half}.weight`, factor)(contents);
  };
}

async function draw(of: string, options: LoadOptions = {}, request: Partial<PictureRequest> = {}) {
  const pipeline = await Pipeline.load(of, { device: "cpu", ...options });
  const events: string[] = [];
  try {
    const asked = { prompt: "a red cat", steps: 2, ...request };
    for await (const event of pipeline.generate(asked))
      events.push(event.type === "warning" ? event.message : event.type);
  } finally {
    await pipeline.close();
  }
  return events;
}

/** A copy of a model with the first number of a tensor replaced. */
async function spoilt(from: string, file: string, tensor: string, bytes: Uint8Array): Promise<string> {
  const copy = join(folder, `model-${serial++}`);
  await cp(from, copy, { recursive: true });
  const ref = (await readSafetensors(join(copy, file))).tensors.get(tensor)!;
  const handle = await open(join(copy, file), "r+");
  await handle.write(bytes, 0, bytes.length, ref.offset);
  await handle.close();
  return copy;
}

const float32 = (value: number) => new Uint8Array(Float32Array.of(value).buffer);

const unet = "unet/diffusion_pytorch_model.safetensors";
const vae = "vae/diffusion_pytorch_model.safetensors";
const text = "text_encoder/model.safetensors";

describe("a network with", () => {
  test.each<[value: string, Uint8Array, file: string, tensor: string, from?: string]>([
    ["NaN", float32(nan), unet, "conv_in.bias"],
    ["infinity", float32(infinity), unet, "mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight"],
    ["-1e38, which norms hide", float32(-1e38), unet, "mid_block.resnets.0.norm1.weight"],
    ["NaN, black pictures", float32(nan), vae, "decoder.conv_out.bias"],
    ["NaN in the encoder, unused in drawing", float32(nan), vae, "encoder.conv_in.weight"],
    ["1e20", float32(1e20), text, "embeddings.position_embedding.weight"],
    [
      "NaN in float16",
      Uint8Array.of(0, 0x7e),
      "unet/diffusion_pytorch_model.fp16.safetensors",
      "conv_in.bias",
      "sd15-fp16",
    ],
    [
      "infinity in float16",
      Uint8Array.of(0, 0xfc),
      "vae/diffusion_pytorch_model.fp16.safetensors",
      "decoder.conv_in.bias",
      "sd15-fp16",
    ],
  ])("%s is refused", async (_, bytes, file, tensor, from = "sd15") => {
    const copy = await spoilt(fixture(`pipelines/${from}`), file, tensor, bytes);
    const reading = refuseNotFinite((await openModel(copy)).components.values());
    await expect(reading).rejects.toThrow(refusal("not-finite", join(copy, file), tensor));
  });

  test("NaN is refused in drawing, training and the base of a full fine-tune", async () => {
    const copy = await spoilt(model, unet, "conv_in.bias", float32(nan));
    const refused = refusal("not-finite", join(copy, unet), "conv_in.bias");
    await expect(draw(copy)).rejects.toThrow(refused);
    await expect(draw(model, { base: copy })).rejects.toThrow(refused);
    await expect(learn(request("spoilt.safetensors", { model: copy }))).rejects.toThrow(refused);
  });

  test("damage is refused where the weight is used, while loading if pictures from text use it", async () => {
    const bad = float32(nan);
    const encoder = await spoilt(model, vae, "encoder.conv_in.weight", bad);
    const refused = refusal("not-finite", join(encoder, vae), "encoder.conv_in.weight");
    // Drawing from text uses no encoder; drawing from a picture and training do.
    expect((await draw(encoder)).at(-1)).toBe("picture");
    await expect(draw(encoder, {}, { image: join(images, "a.png"), strength: 0.5 })).rejects.toThrow(refused);
    await expect(learn(request("no-encoder.safetensors", { model: encoder }))).rejects.toThrow(refused);
    expect(await readdir(folder)).not.toContain("no-encoder.safetensors");
    const decoder = await spoilt(model, vae, "decoder.conv_out.bias", bad);
    await expect(Pipeline.load(decoder)).rejects.toThrow(
      refusal("not-finite", join(decoder, vae), "decoder.conv_out.bias"),
    );
  });

  test.each(["float32", "int8"] as const)(
    "a weight of a product is refused in %s before it is rounded",
    async (precision) => {
      const tensor = "mid_block.attentions.0.transformer_blocks.0.attn1.to_k.weight";
      const copy = await spoilt(model, unet, tensor, float32(nan));
      // Twice: a first try leaves nothing behind that a second one takes for sound.
      for (const _ of [1, 2])
        await expect(Pipeline.load(copy, { precision, device: "cpu" })).rejects.toThrow(
          refusal("not-finite", join(copy, unet), tensor),
        );
    },
  );

  test("a matrix that training changes is refused before it begins", async () => {
    const tensor = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    const copy = await spoilt(model, unet, tensor, float32(nan));
    const asked = request("custom.safetensors", { model: copy });
    await expect(learn(asked, "custom-diffusion")).rejects.toThrow(refusal("not-finite", join(copy, unet), tensor));
  });

  test("numbers that overflow only in a blend are refused", async () => {
    const base = await spoilt(model, unet, "conv_in.bias", float32(5));
    const asked = { guidance: "pg", omega: 1e30 } as const;
    await expect(draw(model, { base }, asked)).rejects.toThrow(refusal("not-finite", "conv_in.bias", "omega 1e+30"));
    await expect(readdir(join(folder, "cache", "tiller", "blends"))).rejects.toThrow("ENOENT");
  });

  test.each([
    ["clip", "text_model.final_layer_norm.weight"],
    ["vit", "embeddings.cls_token"],
  ] as const)("NaN in the encoder %s of the metrics", async (name, tensor) => {
    const copy = await spoilt(fixture(`encoders/${name}`), "model.safetensors", tensor, float32(nan));
    const opening = name === "clip" ? openClip(engine, copy, copy, "dreambooth") : openViT(engine, copy, "dreambooth");
    await expect(opening).rejects.toThrow(refusal("not-finite", join(copy, "model.safetensors"), tensor));
  });
});

describe("a request", () => {
  const file = fixture("adapters/lora-peft.safetensors");
  test.each<[what: string, LoadOptions, Partial<PictureRequest>, ErrorCode]>([
    ["with a strength of 1e30", { adapters: [{ file, strength: 1e30 }] }, {}, "setting-invalid"],
    ["with an omega of -1e30", { adapters: [file] }, { guidance: "pg", omega: -1e30 }, "setting-invalid"],
    ["with a scale of 1e30", {}, { scale: 1e30 }, "picture-not-finite"],
    ["with a scale of -1e12", {}, { scale: -1e12 }, "picture-not-finite"],
  ])("%s is refused", async (_, options, request, code) => {
    await expect(draw(model, options, request)).rejects.toThrow(refusal(code));
  });

  test("with a prompt and a negative prompt of one word of 126,000 letters is drawn, with one-line warnings", async () => {
    const word = "a".repeat(126_000);
    const events = await draw(model, {}, { prompt: word, negative: word });
    expect(events).toEqual([expect.any(String), expect.any(String), "step", "step", "picture"]);
    for (const warning of events.slice(0, 2)) expect(warning.length).toBeLessThan(300);
  });

  test("with clip skip shares the text encoder with a concurrent one", async () => {
    const pipeline = await Pipeline.load(model, { device: "cpu" });
    const drawing = async () => {
      for await (const _ of pipeline.generate({ prompt: "a red cat", steps: 1, clipSkip: 1 }));
    };
    const before = pipeline.sessionsBuilt;
    await Promise.all([drawing(), drawing()]);
    // The text encoder with one layer less, and the decoder.
    expect(pipeline.sessionsBuilt - before).toBe(2);
    await pipeline.close();
  });
});

const request = (out: string, more: Partial<TrainingRequest> = {}): TrainingRequest => ({
  model,
  images,
  token: "sks",
  class: "cat",
  out: join(folder, out),
  steps: 1,
  prior: false,
  ...more,
});

async function learn(asked: TrainingRequest, method: TrainingMethodName = "dreambooth") {
  for await (const _ of train(method, asked, { device: "cpu" }));
}

describe("training", () => {
  test.each<[what: string, Partial<TrainingRequest>]>([
    ["a learning rate of 1e30 in the last step", { learningRate: 1e30 }],
    ["an alpha of 1e30 in the last step", { alpha: 1e30 }],
  ])("with %s leaves no adapter", async (_, more) => {
    const out = `diverged-${serial++}.safetensors`;
    await expect(learn(request(out, more))).rejects.toThrow(refusal("training-diverged"));
    expect((await readdir(folder)).includes(out)).toBe(false);
  });

  describe("is not resumed from a checkpoint with", () => {
    beforeAll(() => learn(request("whole.safetensors")));

    const factor = `unet:${site}.down`;
    const said =
      (name: "step" | "identity", value: string): Change =>
      ({ metadata }) => {
        metadata[name] = value;
      };
    test.each<[what: string, Change, ...facts: string[]]>([
      ["NaN in a value", put(`value ${factor}`, nan), `value ${factor}`],
      ["NaN in the optimiser's mean", put(`mean ${factor}`, nan), `mean ${factor}`],
      ["infinity in the optimiser's square", put(`square ${factor}`, infinity), `square ${factor}`],
      ["a square below 0", put(`square ${factor}`, -1), `square ${factor}`],
      ["step -1", said("step", "-1")],
      ["step 1.5", said("step", "1.5")],
      ["step 1e0", said("step", "1e0")],
      ["no step", said("step", "")],
      ["settings that are not JSON", said("identity", "{")],
      ["settings that are a number", said("identity", "5")],
    ])("%s", async (_, change, ...facts) => {
      const out = `resumed-${serial++}`;
      const checkpoint = join(folder, `${out}.run`, "checkpoint.safetensors");
      await mkdir(join(folder, `${out}.run`));
      await changed(join(folder, "whole.run", "checkpoint.safetensors"), change, checkpoint);
      // With a step left to do, and with none.
      for (const steps of [2, 1]) {
        const training = learn(request(`${out}.safetensors`, { resume: true, steps }));
        await expect(training).rejects.toThrow(refusal("checkpoint-invalid", checkpoint, ...facts));
      }
    });
  });
});
