/** Untrained networks have exactly the tensors that Diffusers and Transformers save for their configs. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import { openModel } from "../src/families/open-model.ts";
import { autoencoderConfig } from "../src/models/autoencoder-kl.ts";
import { clipTextConfig } from "../src/models/clip-text.ts";
import { clipVisionConfig } from "../src/models/clip-vision.ts";
import { unetConfig } from "../src/models/unet.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { blankAutoencoder } from "./blank-autoencoder.ts";
import { blankClip } from "./blank-transformers.ts";
import { blankUNet } from "./blank-unet.ts";
import { vitFromClip } from "./vit-from-clip.ts";

// Saved by Diffusers and Transformers: parity/make_fixtures.py and parity/encoders.py.
const fixture = (path: string) => fileURLToPath(new URL(`../parity/fixtures/${path}`, import.meta.url));
const model = await openModel(fixture("pipelines/sd15"));
const encoder = async (name: string) => ({
  config: JSON.parse(readFileSync(fixture(`encoders/${name}/config.json`), "utf8")),
  weights: (await readSafetensors(fixture(`encoders/${name}/model.safetensors`))).tensors,
});

const shapes = (tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
  Object.fromEntries([...tensors].map(([key, { shape }]): [string, string] => [key, shape.join("x")]).sort());
/** Turns 1x1 kernels into matrices, as in opened models. */
const matrices = (tensors: ReadonlyMap<string, Tensor>) =>
  new Map(
    [...tensors].map(([key, { shape }]) => [
      key,
      { shape: /to_(q|k|v|out\.0)\.weight$/.test(key) ? shape.slice(0, 2) : shape },
    ]),
  );

test("the U-Net's", () => {
  expect(shapes(blankUNet(unetConfig(model.components.get("unet")!.config), 1))).toEqual(
    shapes(model.components.get("unet")!.weights),
  );
});

test("the autoencoder's", () => {
  expect(shapes(matrices(blankAutoencoder(autoencoderConfig(model.components.get("vae")!.config), 1)))).toEqual(
    shapes(model.components.get("vae")!.weights),
  );
});

test("CLIP's", async () => {
  const { config, weights } = await encoder("clip");
  // The fixture's MLPs are twice as wide as the rest, the world's four times.
  const shape = {
    text: clipTextConfig(config.text_config),
    vision: clipVisionConfig(config.vision_config),
    projection: config.projection_dim,
  };
  const narrow = (s: Record<string, string>) =>
    Object.fromEntries(Object.entries(s).filter(([key]) => !key.includes(".mlp.")));
  expect(narrow(shapes(blankClip(shape, 1)))).toEqual(narrow(shapes(weights)));
  expect(Object.keys(shapes(blankClip(shape, 1)))).toEqual(Object.keys(shapes(weights)));
});

test("the ViT's", async () => {
  const { weights } = await encoder("vit");
  const { config } = await encoder("clip");
  const vision = clipVisionConfig(config.vision_config);
  const clip = blankClip({ text: clipTextConfig(config.text_config), vision, projection: config.projection_dim }, 1);
  const own = Object.keys(shapes(vitFromClip(clip, vision, 1)));
  expect(own.sort()).toEqual(Object.keys(shapes(weights)).sort());
});
