/** A whole DreamBooth run on a tiny SANA (parity/sana_pictures.py), and training that SANA does not support. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Pipeline, readSafetensors, type TrainingMethodName, type TrainingRequest, train } from "../src/index.ts";
import { readRecipe } from "../src/recipe/read-recipe.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const model = fixture("sana-pipeline/model");
let folder: string;
let images: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sana-training-"));
  images = join(folder, "images");
  await mkdir(images);
  for (const background of ["red", "teal"]) {
    const picture = sharp({ create: { width: 90, height: 70, channels: 3, background } });
    await picture.toFile(join(images, `${background}.png`));
  }
});
afterAll(() => rm(folder, { recursive: true }));

const requestFor = (out: string, more: Partial<TrainingRequest> = {}): TrainingRequest => ({
  ...{ model, images, token: "sks", class: "dog", out: join(folder, out) },
  ...more,
});

test("DreamBooth draws class images with SANA's defaults, and writes an adapter with Diffusers' names that steers it", async () => {
  const request = requestFor("learned.safetensors", { steps: 3, priorCount: 2, learningRate: 0.01 });
  const losses: number[] = [];
  for await (const event of train("dreambooth", request, { device: "cpu" })) {
    if (event.type === "step") losses.push(event.loss);
  }
  expect(losses).toHaveLength(3);

  const classFolder = join(folder, "learned.run", "class");
  const [name] = (await readdir(classFolder)).filter((file) => file.endsWith(".png"));
  const drawn = await readRecipe(join(classFolder, name!));
  expect(drawn.request).toMatchObject({ prompt: "a dog", sampler: "dpm++", steps: 20, scale: 4.5, guidance: "cfg" });
  expect(drawn.request).not.toHaveProperty("instruction");

  const { tensors, metadata } = await readSafetensors(request.out);
  const diffusers = await readSafetensors(fixture("sana-pipeline/lora.safetensors"));
  expect([...tensors.keys()].sort()).toEqual([...diffusers.tensors.keys()].sort());
  expect(JSON.parse(metadata.lora_adapter_metadata!)).toMatchObject({
    "transformer.r": 4,
    "transformer.lora_alpha": 4,
    "transformer.target_modules": ["to_k", "to_q", "to_v"],
  });

  const pipeline = await Pipeline.load(model, { adapters: [request.out], device: "cpu" });
  try {
    const picture = async (omega: number) => {
      const drawing = pipeline.generate({ prompt: "a sks dog", guidance: "pg", omega, steps: 2 });
      for await (const event of drawing) if (event.type === "picture") return event.data;
      throw new Error("no picture came");
    };
    expect(await picture(0)).not.toEqual(await picture(1));
  } finally {
    await pipeline.close();
  }
});

describe("is refused, because SANA does not support it:", () => {
  test.each<[string, TrainingMethodName, Partial<TrainingRequest>]>([
    ["a learned token", "textual-inversion", {}],
    ["a learned token beside a LoRA", "dreambooth-ti", {}],
    ["training the text encoder", "dreambooth", { textEncoder: true }],
    ["min-SNR weighting", "dreambooth", { snrGamma: 5 }],
  ])("%s", async (_, method, more) => {
    const running = train(method, requestFor("refused.safetensors", more), { device: "cpu" });
    await expect(running.next()).rejects.toThrow(refusal("training-unsuited"));
  });

  test("a side that is not a multiple of 32", async () => {
    const running = train("dreambooth", requestFor("sized.safetensors", { resolution: 48 }), { device: "cpu" });
    await expect(running.next()).rejects.toThrow(refusal("size-invalid", "48", "32"));
  });
});
