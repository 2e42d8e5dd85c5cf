import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import type { Safetensors } from "../../bytes/safetensors.ts";
import { absentSource } from "../../bytes/source.ts";
import { bytesPerElement, type DType, type TensorRef } from "../../bytes/tensor-ref.ts";
import { splitLdm } from "./ldm.ts";

// Made by fixtures/make_ldm_names.py: tiny LDM checkpoints, and where Diffusers' conversion takes every tensor from.
// The converted tensors load strictly into Diffusers models of the given configs.
interface Fixture {
  readonly ldm: Record<string, number[]>;
  readonly expected: Record<
    "unet" | "vae" | "textEncoder",
    { config: Record<string, unknown>; origin: Record<string, [key: string, row: number, shape: number[]]> }
  >;
}
let fixtures: Record<"sd1" | "sd2", Fixture>;
beforeAll(async () => {
  fixtures = JSON.parse(await readFile(new URL("fixtures/ldm-names.json", import.meta.url), "utf8"));
});

/** A checkpoint of these shapes, tensors laid out contiguously in a file that need not exist. */
function checkpoint(shapes: Record<string, number[]>, metadata: Record<string, string> = {}): Safetensors {
  let offset = 1000;
  const tensors = new Map<string, TensorRef>();
  for (const [name, shape] of Object.entries(shapes)) {
    const dtype: DType = name.endsWith("position_ids") ? "int64" : "float16";
    const byteLength = shape.reduce((a, b) => a * b, bytesPerElement[dtype]);
    tensors.set(name, { name, source: absentSource("/no/file"), offset, byteLength, shape, dtype });
    offset += byteLength;
  }
  return { tensors, metadata };
}

const parts = ["unet", "vae", "text_encoder"] as const;
const fixtureNames = { unet: "unet", vae: "vae", text_encoder: "textEncoder" } as const;

describe.each(["sd1", "sd2"] as const)("a single file of the form %s", (form) => {
  test("gives the tensors that Diffusers' conversion gives, from the same places", async () => {
    const { ldm, expected } = fixtures[form];
    const source = checkpoint(ldm);
    const model = await splitLdm(source, "tiny.safetensors");
    for (const part of parts) {
      const { weights } = model.components.get(part)!;
      const { origin } = expected[fixtureNames[part]];
      expect([...weights.keys()].sort()).toEqual(Object.keys(origin).sort());
      for (const [key, [from, row, shape]] of Object.entries(origin)) {
        const ref = weights.get(key)!;
        const whole = source.tensors.get(from)!;
        const rowBytes = whole.byteLength / (whole.shape[0] ?? 1);
        const place = { name: from, shape, offset: whole.offset + row * rowBytes };
        expect({ key, name: ref.name, shape: ref.shape, offset: ref.offset }).toEqual({ key, ...place });
        expect(ref.byteLength).toBe(shape.reduce((a, b) => a * b, 2));
      }
    }
  });

  test("gives the configs of the Diffusers models its tensors load into", async () => {
    const { ldm, expected } = fixtures[form];
    const model = await splitLdm(checkpoint(ldm), "tiny.safetensors");
    for (const part of parts) {
      expect(model.components.get(part)!.config).toMatchObject(expected[fixtureNames[part]].config);
    }
    expect(model.components.get("vae")!.config).toMatchObject({ scaling_factor: 0.18215 });
    expect(model.components.get("unet")!.config).toMatchObject({
      _class_name: "UNet2DConditionModel",
      norm_num_groups: 32,
    });
  });
});

test("SD 2.1's sizes give SD 2.1's config", async () => {
  const shapes = { ...fixtures.sd2.ldm };
  // Only the derived numbers matter: SD 2.1's widths, where they are read from.
  const wide = (key: string, scale: number) => shapes[key]!.map((n) => (n === 32 || n === 64 ? n * scale : n));
  for (const key of Object.keys(shapes)) if (key.startsWith("model.")) shapes[key] = wide(key, 10);
  const unet = (await splitLdm(checkpoint(shapes), "wide.safetensors")).components.get("unet")!;
  expect(unet.config).toMatchObject({ block_out_channels: [320, 640, 640], attention_head_dim: [5, 10, 10] });
});

test("older SD 1 files without the text_model prefix, with position_ids, EMA and training leftovers, are read the same way", async () => {
  const { ldm, expected } = fixtures.sd1;
  const older: Record<string, number[]> = {
    "model_ema.decay": [],
    "model_ema.diffusion_modelinput_blocks00weight": [32, 4, 3, 3],
    betas: [1000],
    "cond_stage_model.transformer.embeddings.position_ids": [1, 77],
    "first_stage_model.loss.logvar": [],
  };
  for (const [key, shape] of Object.entries(ldm)) older[key.replace("transformer.text_model.", "transformer.")] = shape;
  const model = await splitLdm(checkpoint(older), "old.safetensors");
  expect([...model.components.get("text_encoder")!.weights.keys()].sort()).toEqual(
    Object.keys(expected.textEncoder.origin).sort(),
  );
  expect([...model.components.get("unet")!.weights.keys()].sort()).toEqual(Object.keys(expected.unet.origin).sort());
  expect([...model.components.get("vae")!.weights.keys()].sort()).toEqual(Object.keys(expected.vae.origin).sort());
});

test("an SD 2 file exported from Diffusers, which has 23 text blocks, keeps them all", async () => {
  const shapes = Object.fromEntries(Object.entries(fixtures.sd2.ldm).filter(([key]) => !key.includes("resblocks.23.")));
  const textEncoder = (await splitLdm(checkpoint(shapes), "exported.safetensors")).components.get("text_encoder")!;
  expect(textEncoder.config).toMatchObject({ num_hidden_layers: 23 });
});

test("SD 1 predicts noise and SD 2 velocity, unless the file's metadata says otherwise", async () => {
  const prediction = async (form: "sd1" | "sd2", metadata = {}) =>
    (await splitLdm(checkpoint(fixtures[form].ldm, metadata), "x.safetensors")).scheduler.prediction_type;
  expect(await prediction("sd1")).toBe("epsilon");
  expect(await prediction("sd2")).toBe("v_prediction");
  expect(await prediction("sd2", { "modelspec.prediction_type": "epsilon" })).toBe("epsilon");
  expect(await prediction("sd1", { "modelspec.prediction_type": "v" })).toBe("v_prediction");
});

test("an inpainting checkpoint has a U-Net of nine input channels", async () => {
  const shapes = { ...fixtures.sd1.ldm, "model.diffusion_model.input_blocks.0.0.weight": [32, 9, 3, 3] };
  const unet = (await splitLdm(checkpoint(shapes), "inpainting.safetensors")).components.get("unet")!;
  expect(unet.config).toMatchObject({ in_channels: 9, out_channels: 4 });
});

test("an InstructPix2Pix file has eight input channels, and is sampled from the last timestep", async () => {
  const first = "model.diffusion_model.input_blocks.0.0.weight";
  const model = await splitLdm(checkpoint({ ...fixtures.sd1.ldm, [first]: [32, 8, 3, 3] }), "edits.safetensors");
  expect(model.components.get("unet")!.config).toMatchObject({ in_channels: 8, out_channels: 4 });
  expect(model.scheduler.timestep_spacing).toBe("linspace");
});

describe("a file that is not an SD 1 or 2 text-to-image checkpoint is refused, naming what it is", () => {
  const first = "model.diffusion_model.input_blocks.0.0.weight";
  const cases: [what: string, change: (shapes: Record<string, number[]>) => Record<string, number[]>][] = [
    ["a depth-to-image model", (s) => ({ ...s, [first]: [32, 5, 3, 3] })],
    ["an upscaler", (s) => ({ ...s, [first]: [32, 7, 3, 3] })],
    ["a Stable Diffusion XL checkpoint", (s) => ({ ...s, "conditioner.embedders.1.model.ln_final.weight": [1280] })],
    ["a Stable Diffusion XL refiner", (s) => ({ ...s, "conditioner.embedders.0.model.ln_final.weight": [1280] })],
    ["a model with a second condition", (s) => ({ ...s, "model.diffusion_model.label_emb.0.0.weight": [32, 32] })],
    ["a Stable Diffusion 3 checkpoint", () => ({ "model.diffusion_model.joint_blocks.0.x.weight": [1] })],
    ["a Flux checkpoint", () => ({ "double_blocks.0.img_attn.norm.key_norm.scale": [1] })],
    ["a ControlNet", () => ({ "control_model.time_embed.0.weight": [1] })],
    ["a LoRA adapter", () => ({ "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": [1] })],
    ["a LoRA adapter", () => ({ "unet.mid_block.attentions.0.to_q.lora_A.weight": [1] })],
    ["a textual-inversion embedding", () => ({ emb_params: [1, 768] })],
    ["only a U-Net, with Diffusers' key names", () => ({ "down_blocks.0.resnets.0.conv1.weight": [1] })],
    ["only an autoencoder", () => ({ "encoder.conv_in.weight": [1] })],
    ["only a text encoder", () => ({ "text_model.embeddings.token_embedding.weight": [1] })],
  ];
  test.each(cases)("%s", async (what, change) => {
    const made = splitLdm(checkpoint(change(fixtures.sd1.ldm)), "x.safetensors");
    await expect(made).rejects.toThrow(refusal("model-unsupported", "x.safetensors", what));
  });

  test("a file of other tensors", async () => {
    const made = splitLdm(checkpoint({ "something.else": [1] }), "x.safetensors");
    await expect(made).rejects.toThrow(refusal("model-not-found", "x.safetensors"));
  });

  test.each([
    ["autoencoder", "first_stage_model."],
    ["text encoder", "cond_stage_model."],
  ])("a checkpoint without its %s", async (what, prefix) => {
    const shapes = Object.fromEntries(Object.entries(fixtures.sd1.ldm).filter(([key]) => !key.startsWith(prefix)));
    await expect(splitLdm(checkpoint(shapes), "x.safetensors")).rejects.toThrow(
      refusal("model-incomplete", "x.safetensors", what, prefix),
    );
  });

  test.each([
    [
      "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
      "mid_block.attentions.0.transformer_blocks.0",
    ],
    ["first_stage_model.decoder.conv_in.weight", "decoder.conv_in.weight"],
    ["cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.weight", "layers.0.mlp.fc1"],
  ])("a checkpoint without %s", async (key, named) => {
    const { [key]: _, ...shapes } = fixtures.sd1.ldm;
    await expect(splitLdm(checkpoint(shapes), "x.safetensors")).rejects.toThrow(
      refusal("tensor-missing", "x.safetensors", named),
    );
  });

  test.each([
    ["model.diffusion_model.input_blocks.1.0.extra.weight", "model-unsupported"],
    ["model.diffusion_model.input_blocks.999.0.op.weight", "model-unsupported"],
    ["first_stage_model.decoder.conv_in.weight", "tensor-shape"],
    ["first_stage_model.encoder.mid.attn_2.q.weight", "model-unsupported"],
  ] as const)("a checkpoint with %s", async (key, code) => {
    const shapes = { ...fixtures.sd1.ldm, [key]: [1] };
    await expect(splitLdm(checkpoint(shapes), "x.safetensors")).rejects.toThrow(refusal(code, "x.safetensors"));
  });
});
