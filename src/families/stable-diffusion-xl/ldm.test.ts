import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import type { Safetensors } from "../../bytes/safetensors.ts";
import { sourceOf } from "../../bytes/source.ts";
import { bytesPerElement, type DType, type TensorRef } from "../../bytes/tensor-ref.ts";
import { isSdxl, splitSdxl } from "./ldm.ts";

// Made by fixtures/make_ldm_names.py: a tiny single file, and where Diffusers' conversion takes every tensor from.
// The converted tensors load strictly into Diffusers models of the given configs.
interface Fixture {
  readonly ldm: Record<string, number[]>;
  readonly expected: Record<
    string,
    { config: Record<string, unknown>; origin: Record<string, [key: string, row: number, shape: number[]]> }
  >;
}
let fixture: Fixture;
beforeAll(async () => {
  fixture = JSON.parse(await readFile(new URL("fixtures/ldm-names.json", import.meta.url), "utf8"));
});

/** A checkpoint of these shapes, tensors laid out contiguously in a file of zeros. */
function checkpoint(shapes: Record<string, number[]>, metadata: Record<string, string> = {}): Safetensors {
  let offset = 1000;
  const tensors = new Map<string, TensorRef>();
  const source = sourceOf("/no/file", new Uint8Array(4_000_000));
  for (const [name, shape] of Object.entries(shapes)) {
    const dtype: DType = "float16";
    const byteLength = shape.reduce((a, b) => a * b, bytesPerElement[dtype]);
    tensors.set(name, { name, source, offset, byteLength, shape, dtype });
    offset += byteLength;
  }
  return { tensors, metadata };
}

test("gives the tensors that Diffusers' conversion gives, from the same places: all 838 of the U-Net, 69 of the second encoder", async () => {
  const { ldm, expected } = fixture;
  const source = checkpoint(ldm);
  const model = await splitSdxl(source, "tiny.safetensors");
  expect(Object.keys(expected.unet!.origin)).toHaveLength(838);
  expect(Object.keys(expected.text_encoder_2!.origin)).toHaveLength(69);
  for (const [part, { origin, config }] of Object.entries(expected)) {
    const { weights, config: found } = model.components.get(part)!;
    expect([...weights.keys()].sort()).toEqual(Object.keys(origin).sort());
    for (const [key, [from, row, shape]] of Object.entries(origin)) {
      const ref = weights.get(key)!;
      expect({ key, name: ref.name, shape: ref.shape }).toEqual({ key, name: from, shape });
      if (key === "text_projection.weight") continue; // Transposed in memory: see the test below.
      const whole = source.tensors.get(from)!;
      expect(ref.offset).toBe(whole.offset + row * (whole.byteLength / (whole.shape[0] ?? 1)));
    }
    const { projection_dim: _, ...first } = config;
    expect(found).toMatchObject(part === "text_encoder" ? first : config);
  }
  expect(model.components.get("vae")!.config).toMatchObject({ scaling_factor: 0.13025, force_upcast: true });
  expect(model.components.get("unet")!.config).toMatchObject({ sample_size: 512 });
});

test("the text projection is transposed, element by element", async () => {
  const { tensors, metadata } = checkpoint(fixture.ldm);
  const key = "conditioner.embedders.1.model.text_projection";
  const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const ref = { ...tensors.get(key)!, source: sourceOf("f", bytes), offset: 0, byteLength: 12, shape: [2, 3] };
  const model = await splitSdxl({ tensors: new Map([...tensors, [key, ref]]), metadata }, "tiny.safetensors");
  const found = model.components.get("text_encoder_2")!.weights.get("text_projection.weight")!;
  expect(found.shape).toEqual([3, 2]);
  expect([...(await found.source.read(0, 12))]).toEqual([1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12]);
});

describe("what the network predicts", () => {
  const scheduler = async (more: Record<string, number[]>, metadata: Record<string, string> = {}, yaml = "") => {
    const file = await splitSdxl(checkpoint({ ...fixture.ldm, ...more }, metadata), "x.safetensors", yaml);
    return { ...file.scheduler, told: file.predictionTold };
  };

  test("is noise, unless the file says otherwise", async () => {
    expect(await scheduler({})).toMatchObject({ prediction_type: "epsilon", timestep_spacing: "leading", told: false });
    const metadata = { "modelspec.prediction_type": "v" };
    expect(await scheduler({}, metadata)).toMatchObject({ prediction_type: "v_prediction", told: true });
    expect(await scheduler({ v_pred: [] })).toMatchObject({ prediction_type: "v_prediction", told: true });
    const yaml = "model:\n  params:\n    parameterization: v\n";
    expect(await scheduler({}, {}, yaml)).toMatchObject({ prediction_type: "v_prediction", told: true });
  });

  test("with zero terminal SNR starts at the last timestep", async () => {
    expect(await scheduler({ v_pred: [], ztsnr: [] })).toMatchObject({
      ...{ prediction_type: "v_prediction", rescale_betas_zero_snr: true, timestep_spacing: "trailing" },
    });
  });
});

describe("a file that is not an SDXL text-to-image checkpoint is refused, naming what it is", () => {
  const first = "model.diffusion_model.input_blocks.0.0.weight";
  const cases: [what: string, more: Record<string, number[]>][] = [
    ["an SDXL inpainting model", { [first]: [8, 9, 3, 3] }],
    ["an SDXL editing model", { [first]: [8, 8, 3, 3] }],
    ["the SDXL refiner", { "conditioner.embedders.0.model.ln_final.weight": [1280] }],
    ["an SDXL ControlNet", { "control_model.time_embed.0.weight": [1] }],
    ["Playground", { edm_mean: [1] }],
    ["an EDM model", { "edm_vpred.sigma_max": [1] }],
  ];
  test.each(cases)("%s", async (what, more) => {
    const made = splitSdxl(checkpoint({ ...fixture.ldm, ...more }), "x.safetensors");
    await expect(made).rejects.toThrow(refusal("model-unsupported", "x.safetensors", what));
  });

  test.each([
    ["autoencoder", "first_stage_model."],
    ["first text encoder", "conditioner.embedders.0."],
    ["second text encoder", "conditioner.embedders.1."],
    ["U-Net", "model.diffusion_model."],
  ])("a checkpoint without its %s", async (what, prefix) => {
    const shapes = Object.fromEntries(Object.entries(fixture.ldm).filter(([key]) => !key.startsWith(prefix)));
    expect(isSdxl(checkpoint(shapes).tensors)).toBe(true);
    await expect(splitSdxl(checkpoint(shapes), "x.safetensors")).rejects.toThrow(
      refusal("model-incomplete", "x.safetensors", what),
    );
  });

  test("a checkpoint without its text projection", async () => {
    const { "conditioner.embedders.1.model.text_projection": _, ...shapes } = fixture.ldm;
    await expect(splitSdxl(checkpoint(shapes), "x.safetensors")).rejects.toThrow(
      refusal("tensor-missing", "x.safetensors", "text_projection"),
    );
  });

  test("a distilled one with fewer transformer blocks on the way up", async () => {
    const last = "model.diffusion_model.output_blocks.0.1.transformer_blocks.2.";
    const shapes = Object.fromEntries(Object.entries(fixture.ldm).filter(([key]) => !key.startsWith(last)));
    await expect(splitSdxl(checkpoint(shapes), "x.safetensors")).rejects.toThrow(
      refusal("model-unsupported", "x.safetensors", "up_blocks.0.attentions.0", "distilled"),
    );
  });
});
