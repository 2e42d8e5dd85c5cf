/** Edits by InstructPix2Pix, against Diffusers' pipeline and a loop in PyTorch: fixtures of parity/editing.py. */
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodePng, type LoadOptions, type PictureRequest, Pipeline, type Pixels, readRecipe } from "../src/index.ts";
import { agreement, fixture, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Case {
  readonly name: string;
  readonly lora: boolean;
  readonly request: PictureRequest & { readonly width: number; readonly height: number };
}

const cases = JSON.parse(readFileSync(fixture("editing/cases.json"), "utf8")) as Case[];
const stored = await reference("../editing/pictures.safetensors");
const base = fixture("pipelines/sd15");
const lora = fixture("adapters/lora-peft.safetensors");

async function pixels(name: string): Promise<Pixels> {
  const { shape, data } = await stored(name);
  return { width: shape[1]!, height: shape[0]!, data: Uint8Array.from(data) };
}

/** The editing model, whole: its autoencoder, text encoder and tokenizer are the base's. */
let model: string;
const open = new Map<string, Promise<Pipeline>>();
const pipelineWith = (options: Pick<LoadOptions, "base" | "adapters">, which = model): Promise<Pipeline> => {
  const key = JSON.stringify([options, which]);
  const pipeline = open.get(key) ?? Pipeline.load(which, { ...options, device: "cpu" });
  open.set(key, pipeline);
  return pipeline;
};
beforeAll(async () => {
  model = await mkdtemp(join(tmpdir(), "tiller-test-"));
  process.env.XDG_CACHE_HOME = join(model, "cache");
  for (const part of ["vae", "text_encoder", "tokenizer"])
    await cp(join(base, part), join(model, part), { recursive: true });
  await cp(fixture("editing/model"), model, { recursive: true });
});
afterAll(async () => {
  for (const pipeline of open.values()) await (await pipeline).close();
  await rm(model, { recursive: true });
});

async function drawn(pipeline: Pipeline, request: PictureRequest) {
  for await (const event of pipeline.generate(request)) if (event.type === "picture") return event;
  throw new Error("no picture came");
}

/** A request of the cases, with its picture. */
async function requestOf(name: string): Promise<PictureRequest> {
  const { request } = cases.find((one) => one.name === name)!;
  return { ...request, image: await pixels(`photo-${request.width}x${request.height}`) };
}

describe("the same seed gives the reference's edit:", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, { lora: adapted, request }) => {
    const pipeline = await pipelineWith({
      ...(request.guidance === "pg-edit" && { base }),
      ...(adapted && { adapters: [lora] }),
    });
    const found = await drawn(pipeline, await requestOf(name));
    const expected = await stored(name);
    expect([found.height, found.width, 3]).toEqual([...expected.shape]);
    // Rounding differs by one of 255 at a few pixels.
    expect(agreement(found.data, expected.data)).toBeGreaterThanOrEqual(0.999);
  });
});

describe("an editing model", () => {
  test("has its own defaults, and others with its base", async () => {
    const alone = (await pipelineWith({})).defaults;
    expect(alone).toMatchObject({ guidance: "cfg-edit", sampler: "euler-a", steps: 100, scale: 7.5 });
    expect((await pipelineWith({ base })).defaults).toMatchObject({ guidance: "pg-edit", omega: 0 });
  });

  test("may be a folder with only a U-Net", async () => {
    const only = await mkdtemp(join(tmpdir(), "tiller-test-"));
    await cp(fixture("editing/model/unet"), join(only, "unet"), { recursive: true });
    const asked = { ...(await requestOf("pg-edit-0")), steps: 3 };
    const [whole, part] = [await pipelineWith({ base }), await pipelineWith({ base }, only)];
    expect(Buffer.from((await drawn(part, asked)).data)).toEqual(Buffer.from((await drawn(whole, asked)).data));
    await rm(only, { recursive: true });
  });

  test("starts at noise, or with a strength at the picture with noise", async () => {
    const pipeline = await pipelineWith({});
    const asked = { ...(await requestOf("cfg-edit")), steps: 4 };
    expect((await drawn(pipeline, asked)).recipe.request.strength).toBe(1);
    const steps: number[] = [];
    for await (const event of pipeline.generate({ ...asked, strength: 0.5 })) {
      if (event.type === "step") steps.push(event.steps);
    }
    expect(steps).toEqual([2, 2]);
  });

  test("needs a picture, no mask, and a method for editing", async () => {
    const pipeline = await pipelineWith({});
    const asked = { ...(await requestOf("cfg-edit")), steps: 1 };
    await expect(drawn(pipeline, { ...asked, image: undefined })).rejects.toThrow(refusal("image-missing", model));
    await expect(drawn(pipeline, { ...asked, mask: asked.image })).rejects.toThrow(refusal("setting-invalid", "mask"));
    await expect(drawn(pipeline, { ...asked, guidance: "cfg" })).rejects.toThrow(
      refusal("guidance-unsuited", "cfg-edit", "pg-edit"),
    );
    const plain = await pipelineWith({}, base);
    await expect(drawn(plain, { prompt: "a cat", guidance: "cfg-edit" })).rejects.toThrow(refusal("guidance-unsuited"));
  });

  test("writes the picture's hash and both scales into the recipe", async () => {
    const { recipe, ...picture } = await drawn(await pipelineWith({ base }), {
      ...(await requestOf("pg-edit-0.4-null")),
      steps: 2,
    });
    const file = join(model, "edit.png");
    const { writeFile } = await import("node:fs/promises");
    await writeFile(file, await encodePng(picture, recipe));
    const { request } = await readRecipe(file);
    expect(request).toMatchObject({ guidance: "pg-edit", omega: 0.4, scale: 7.5, imageScale: 1.5, weakRows: "null" });
    expect(request.image?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});
