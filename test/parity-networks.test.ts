import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { autoencoderConfig, autoencoderDecode, autoencoderEncode } from "../src/models/autoencoder-kl.ts";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { moduleOf } from "../src/models/module.ts";
import { textKeysValues, unet, unetConfig } from "../src/models/unet.ts";
import { type Engine, float32, startEngine, type Tensor } from "../src/runtime/index.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";

/** Summation order differs from the reference's by some float32 units; the limit is 1e-4. */
const tolerance = 1e-4;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

describe.each([
  ["sd15", undefined],
  ["sd21", undefined],
  ["sd21-v", undefined],
  ["sd15-fp16", "fp16"],
])("the networks of %s", (name, variant) => {
  const open = async () => ({
    model: await openModel(fixture(`pipelines/${name}`), { variant }),
    expected: await reference(`networks-${name}.safetensors`),
  });

  test("encode text as Transformers does", async () => {
    const { model, expected } = await open();
    const config = clipTextConfig(model.components.get("text_encoder")!.config);
    const session = await engine.compile(
      "text encoder",
      clipText(moduleOf(model.components.get("text_encoder")!.weights), config),
    );
    const learned = float32([1, config.hidden_size], new Float32Array(config.hidden_size));
    const { text } = await session.run({ ids: await expected("ids"), learned });
    expect(relativeError(text!, await expected("text"))).toBeLessThan(tolerance);
  });

  test.each(["", "_wide", "_odd"])(
    "predict noise as Diffusers does, at several timesteps in one batch%s",
    async (size) => {
      const { model, expected } = await open();
      const config = unetConfig(model.components.get("unet")!.config);
      const module = moduleOf(model.components.get("unet")!.weights);
      const [context, latents] = [await expected("context"), await expected(`latents${size}`)];
      const timestep = rowsOf(await expected("timesteps"), latents.shape[0]!);
      const text = await engine.compile("text keys and values", textKeysValues(module, config));
      const keysValues = await text.run({ text: rowsOf(context, latents.shape[0]!) });
      const session = await engine.compile("U-Net", unet(module, config));
      const { prediction } = await session.run({ ...keysValues, latents, timestep });
      expect(relativeError(prediction!, await expected(`prediction${size}`))).toBeLessThan(tolerance);
    },
  );

  test("encode and decode pictures as Diffusers does", async () => {
    const { model, expected } = await open();
    const config = autoencoderConfig(model.components.get("vae")!.config);
    const module = moduleOf(model.components.get("vae")!.weights);
    const encoder = await engine.compile("encoder", autoencoderEncode(module, config));
    const { moments } = await encoder.run({ picture: await expected("vae_picture") });
    expect(relativeError(moments!, await expected("vae_moments"))).toBeLessThan(tolerance);
    const decoder = await engine.compile("decoder", autoencoderDecode(module, config));
    const { picture } = await decoder.run({ latents: await expected("vae_latents") });
    expect(relativeError(picture!, await expected("vae_decoded"))).toBeLessThan(tolerance);
  });
});

const rowsOf = ({ shape, data }: Tensor, rows: number): Tensor => ({
  shape: [rows, ...shape.slice(1)],
  data: data.subarray(0, (data.length / shape[0]!) * rows) as Float32Array,
});
