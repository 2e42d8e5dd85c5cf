/** Pictures that start from a picture, against Diffusers' pipelines and its schedulers: fixtures of parity/from_picture.py. */

import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import { readBytes, readSafetensors, writeSafetensors } from "../src/bytes/safetensors.ts";
import { writeWhole } from "../src/bytes/write-whole.ts";
import { fitted } from "../src/images/fit.ts";
import { encodePng, type PictureRequest, Pipeline, type Pixels, train } from "../src/index.ts";
import { fixture, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Case {
  readonly name: string;
  readonly pipeline: "sd15" | "sd21-v" | "inpainting" | "sdxl" | "sdxl-inpainting" | "sana";
  readonly adapters?: readonly { readonly file: string; readonly strength: number }[];
  readonly lora?: string;
  readonly mask: boolean;
  readonly request: PictureRequest;
}

const cases = JSON.parse(readFileSync(fixture("from-picture/cases.json"), "utf8")) as Case[];
const stored = await reference("../from-picture/pictures.safetensors");

async function pixels(name: string): Promise<Pixels> {
  const { shape, data } = await stored(name);
  return { width: shape[1]!, height: shape[0]!, data: Uint8Array.from(data) };
}

/** Inpainting models by the case's pipeline: tiny models with the fixture's first layer of nine channels. */
const inpainting: Record<string, string> = {};

async function widened(model: string, firstLayer: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await cp(fixture(model), folder, { recursive: true });
  const config = join(folder, "unet", "config.json");
  await writeWhole(config, JSON.stringify({ ...(await readJson(config, jsonObject)), in_channels: 9 }));
  const weights = "unet/diffusion_pytorch_model.safetensors";
  const unet = await readSafetensors(fixture(`${model}/${weights}`));
  const wider = await readSafetensors(fixture("from-picture/pictures.safetensors"));
  const tensors = new Map(unet.tensors).set("conv_in.weight", wider.tensors.get(firstLayer)!);
  await writeSafetensors(
    join(folder, weights),
    await Promise.all([...tensors].map(async ([name, ref]) => ({ ...ref, name, data: await readBytes(ref) }))),
  );
  return folder;
}

beforeAll(async () => {
  inpainting.inpainting = await widened("pipelines/sd15", "conv_in.weight");
  inpainting["sdxl-inpainting"] = await widened("sdxl-pipeline/model", "sdxl-conv_in.weight");
});
afterAll(async () => {
  for (const folder of Object.values(inpainting)) await rm(folder, { recursive: true });
});

/** Share of the pixels with every channel within 1 of the reference. */
function agreement(found: Uint8Array, expected: ArrayLike<number>): number {
  let close = 0;
  for (let pixel = 0; pixel < found.length; pixel += 3) {
    if ([0, 1, 2].every((c) => Math.abs(found[pixel + c]! - expected[pixel + c]!) <= 1)) close++;
  }
  return (close * 3) / found.length;
}

/** Each model and its adapters are opened once. */
const opened = new Map<string, Promise<Pipeline>>();
afterAll(async () => {
  for (const pipeline of opened.values()) await (await pipeline).close();
});

function open({ pipeline, adapters, lora }: Case): Promise<Pipeline> {
  const whole = { sana: "sana-pipeline/model", sdxl: "sdxl-pipeline/model" } as Readonly<Record<string, string>>;
  const model = inpainting[pipeline] ?? fixture(whole[pipeline] ?? `pipelines/${pipeline}`);
  const files = adapters?.map(({ file, strength }) => ({ file: fixture(`adapters/${file}`), strength }));
  const key = JSON.stringify([pipeline, files]);
  const loading =
    opened.get(key) ??
    Pipeline.load(model, {
      adapters: files ?? [fixture(`sana-pipeline/${lora}`)],
      device: "cpu",
    });
  opened.set(key, loading);
  return loading;
}

describe("the same seed and picture give Diffusers' picture:", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const prefix = one.pipeline === "sana" ? "sana-" : "";
    const expected = await stored(name);
    const image = await pixels(`${prefix}photo`);
    const request = { ...one.request, image, ...(one.mask && { mask: await pixels(`${prefix}mask`) }) };
    const pipeline = await open(one);
    for await (const event of pipeline.generate(request)) {
      if (event.type !== "picture") continue;
      expect([event.height, event.width, 3]).toEqual([...expected.shape]);
      expect(agreement(event.data, expected.data)).toBeGreaterThanOrEqual(0.999);
    }
  });
});

test("an inpainting model needs a picture and a mask, and is not trained", async () => {
  const pipeline = await open(cases.find((one) => one.pipeline === "inpainting")!);
  const drawn = async (given: Partial<PictureRequest>) => {
    for await (const _ of pipeline.generate({ prompt: "a cat", steps: 1, ...given }));
  };
  await expect(drawn({})).rejects.toThrow(refusal("image-missing", "mask"));
  await expect(drawn({ image: await pixels("photo") })).rejects.toThrow(refusal("mask-missing"));
  const images = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await writeWhole(join(images, "0.png"), await encodePng(await pixels("photo")));
  const training = train("dreambooth", {
    ...{ model: inpainting.inpainting!, images, out: join(images, "cat.safetensors"), token: "sks", class: "cat" },
  });
  await expect(training.next()).rejects.toThrow(refusal("model-unsupported", "inpainting"));
  await rm(images, { recursive: true });
});

test.each([
  [32, 32],
  [48, 16],
  [24, 64],
  [96, 64],
])("a picture is fitted to %d x %d as by PIL's ImageOps.fit, within 1/255", async (width, height) => {
  const found = fitted(await pixels("odd"), { width, height });
  const expected = (await stored(`fitted ${width}x${height}`)).data;
  expect(found.data.length).toBe(expected.length);
  // PIL's weights are fixed-point numbers of 22 bits, so a sum may round to the other side.
  expect(Math.max(...found.data.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(1);
});
