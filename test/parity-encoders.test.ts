/** CLIP's two towers and the ViT against Transformers: fixtures of parity/encoders.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../src/models/clip-vision.ts";
import { moduleOf } from "../src/models/module.ts";
import { vit, vitConfig } from "../src/models/vit.ts";
import { type Engine, float32, startEngine } from "../src/runtime/index.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 2 });
});
afterAll(() => engine.close());

async function open(name: string) {
  const { tensors } = await readSafetensors(fixture(`encoders/${name}/model.safetensors`));
  const config = JSON.parse(readFileSync(fixture(`encoders/${name}/config.json`), "utf8"));
  return { module: moduleOf(tensors), config };
}
const features = await reference("../encoders/features.safetensors");
const tolerance = 1e-4;

test("CLIP's picture features match Transformers'", async () => {
  const { module, config } = await open("clip");
  const session = await engine.compile("CLIP", clipVision(module, clipVisionConfig(config.vision_config)));
  const { features: found } = await session.run({ picture: await features("pictures") });
  expect(relativeError(found!, await features("picture_features"))).toBeLessThan(tolerance);
});

test("CLIP's text features match Transformers'", async () => {
  const { module, config } = await open("clip");
  const text = clipText(module, clipTextConfig(config.text_config)).text!;
  const session = await engine.compile("CLIP", { features: clipTextFeatures(module, text) });
  const ids = await features("ids");
  const [rows, positions] = ids.shape as [number, number];
  const end = new Float32Array(rows * positions);
  for (let row = 0; row < rows; row++) end[ids.data.indexOf(119, row * positions)] = 1;
  const { features: found } = await session.run({
    ids,
    end: float32([rows, positions, 1], end),
    learned: float32([1, 32], new Float32Array(32)),
  });
  expect(relativeError(found!, await features("text_features"))).toBeLessThan(tolerance);
});

test("the ViT's features match Transformers'", async () => {
  const { module, config } = await open("vit");
  const session = await engine.compile("ViT", vit(module, vitConfig(config)));
  const { features: found } = await session.run({ picture: await features("pictures") });
  expect(relativeError(found!, await features("class_features"))).toBeLessThan(tolerance);
});
