/** A new family, added as one object and one entry in the list, draws, takes adapters, is steered and trained. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import type { Family, ModelFiles, Modules } from "../src/families/family.ts";
import { encodePng, type PictureRequest, Pipeline, train } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const boats = vi.hoisted(() => ({}) as { -readonly [K in keyof Family]: Family[K] });
vi.mock("../src/families/families.ts", async (original) => {
  const { families } = await original<typeof import("../src/families/families.ts")>();
  return { families: [...families, boats] };
});

/** Its folder's names for the components, and Stable Diffusion's. */
const parts = { hull: "unet", sail: "vae", radio: "text_encoder" } as const;
const own = Object.fromEntries(Object.entries(parts).map(([ours, theirs]) => [theirs, ours]));

beforeAll(async () => {
  const { stableDiffusion } = await import("../src/families/stable-diffusion/index.ts");
  const theirsOf = ({ components }: ModelFiles) =>
    new Map(Object.entries(parts).map(([ours, theirs]) => [theirs, components.get(ours)!]));
  const renamed = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [own[name]!, value]));
  Object.assign(boats, {
    name: "Boats",
    runs: "BoatPipeline",
    classes: ["BoatPipeline"],
    parts: renamed(stableDiffusion.parts),
    model(files) {
      const model = stableDiffusion.model({ ...files, components: theirsOf(files) });
      const by = (modules: Modules) => (theirs: string) => modules(own[theirs]!);
      return {
        ...model,
        family: "Boats",
        components: files.components,
        steered: model.steered.map((name) => own[name]!),
        text: {
          ...model.text,
          graph: (modules, options) => model.text.graph(by(modules), options),
          embeddings: model.text.embeddings.map((table) => ({ ...table, component: "radio" })),
        },
        denoiser: {
          ...model.denoiser,
          prepare: (modules) => model.denoiser.prepare(by(modules)),
          predict: (modules) => model.denoiser.predict(by(modules)),
        },
        latents: {
          ...model.latents,
          component: "sail",
          encode: (modules) => model.latents.encode(by(modules)),
          decode: (modules) => model.latents.decode(by(modules)),
        },
        defaults: { ...model.defaults, sampler: "euler", steps: 3, sideMultiple: 16 },
        adapters: {
          ...model.adapters,
          usual: renamed(model.adapters.usual),
          trained: renamed(model.adapters.trained),
          keysValues: renamed(model.adapters.keysValues),
          prefixes: [
            { pattern: /^hull\./, component: "hull" },
            { pattern: /^radio\./, component: "radio" },
          ],
        },
      };
    },
  } satisfies Family);
});

let folder: string;
const model = () => join(folder, "boat");
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-family-"));
  await cp(fixture("pipelines/sd15"), model(), { recursive: true });
  const index = JSON.parse(await readFile(join(model(), "model_index.json"), "utf8")) as Record<string, unknown>;
  for (const [ours, theirs] of Object.entries(parts)) {
    await rename(join(model(), theirs), join(model(), ours));
    index[ours] = index[theirs];
    delete index[theirs];
  }
  await writeFile(join(model(), "model_index.json"), JSON.stringify({ ...index, _class_name: "BoatPipeline" }));
});
afterAll(() => rm(folder, { recursive: true }));

async function draw(pipeline: Pipeline, request: Partial<PictureRequest> = {}) {
  const pictures = [];
  for await (const event of pipeline.generate({ prompt: "a boat", width: 64, height: 64, ...request })) {
    if (event.type === "picture") pictures.push(event);
  }
  return pictures;
}
const bytesOf = async (pipeline: Pipeline, request: Partial<PictureRequest> = {}) =>
  (await draw(pipeline, request)).map(({ data }) => Buffer.from(data).toString("base64"));

test("its pictures are those of its networks with its own defaults", async () => {
  const [ours, theirs] = [
    await Pipeline.load(model(), { device: "cpu" }),
    await Pipeline.load(fixture("pipelines/sd15"), { device: "cpu" }),
  ];
  try {
    const [picture] = await draw(ours);
    expect(picture!.recipe.request).toMatchObject({ sampler: "euler", steps: 3, guidance: "cfg" });
    expect(await bytesOf(ours)).toEqual(await bytesOf(theirs, { sampler: "euler", steps: 3 }));
  } finally {
    await ours.close();
    await theirs.close();
  }
});

test("an adapter is trained on it, written with its own names, and steers it", async () => {
  const out = join(folder, "learned.safetensors");
  const images = join(folder, "images");
  const pipeline = await Pipeline.load(model(), { device: "cpu" });
  try {
    await mkdir(images);
    for (const picture of await draw(pipeline, { count: 2 })) {
      await writeFile(join(images, `${picture.index}.png`), await encodePng(picture));
    }
    const request = {
      model: model(),
      images,
      token: "sks",
      class: "boat",
      out,
      steps: 3,
      prior: false,
      resolution: 64,
    };
    const settings = { ...request, textEncoder: true, learningRate: 0.01 };
    for await (const _ of train("dreambooth", settings, { device: "cpu" }));
    const keys = [...(await readSafetensors(out)).tensors.keys()];
    expect(new Set(keys.map((key) => key.split(".")[0]))).toEqual(new Set(["hull", "radio"]));

    const plain = await bytesOf(pipeline);
    const built = pipeline.sessionsBuilt;
    await pipeline.setAdapters([out]);
    const cfg = await bytesOf(pipeline, { guidance: "cfg" });
    expect(cfg).not.toEqual(plain);
    expect(await bytesOf(pipeline, { guidance: "pg", omega: 1 })).toEqual(cfg);
    expect(await bytesOf(pipeline, { guidance: "pg", omega: 0 })).not.toEqual(cfg);
    expect(pipeline.sessionsBuilt).toBe(built);
  } finally {
    await pipeline.close();
  }
});

test("a size that does not fit its latents is refused, for pictures and for training", async () => {
  const pipeline = await Pipeline.load(model(), { device: "cpu" });
  await expect(draw(pipeline, { width: 24 })).rejects.toThrow(refusal("size-invalid", "width", "24", "16"));
  await pipeline.close();
  const out = join(folder, "sized.safetensors");
  const images = await mkdtemp(join(folder, "images-"));
  await writeFile(join(images, "a.png"), await encodePng({ width: 1, height: 1, data: Uint8Array.of(0, 0, 0) }));
  const request = { model: model(), images, token: "sks", class: "boat", out, resolution: 24 };
  await expect(train("dreambooth", request).next()).rejects.toThrow(refusal("size-invalid", "24", "16"));
});

test("an unknown class is refused by name, listing the known ones", async () => {
  const file = join(model(), "model_index.json");
  const before = await readFile(file, "utf8");
  await writeFile(file, before.replace("BoatPipeline", "SubmarinePipeline"));
  await expect(Pipeline.load(model())).rejects.toThrow(
    refusal("model-unsupported", model(), "SubmarinePipeline", "StableDiffusionPipeline", "BoatPipeline"),
  );
  await writeFile(file, before);
});
