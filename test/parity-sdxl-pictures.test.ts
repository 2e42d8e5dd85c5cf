/** Whole pictures of a tiny SDXL against StableDiffusionXLPipeline and a plain loop over its networks: fixtures of parity/sdxl_pictures.py. */
import { readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PictureEvent, type PictureRequest, Pipeline } from "../src/index.ts";
import { fixture, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Case {
  readonly name: string;
  readonly lora?: string;
  readonly embedding?: string;
  /** Keys of the scheduler's config other than the fixture's. */
  readonly scheduler?: Readonly<Record<string, unknown>>;
  /** False if model_index.json says so of force_zeros_for_empty_prompt. */
  readonly zeros?: false;
  readonly request: PictureRequest;
}

const { cases } = JSON.parse(readFileSync(fixture("sdxl-pipeline/cases.json"), "utf8")) as { readonly cases: Case[] };
const pictures = await reference("../sdxl-pipeline/pictures.safetensors");
const original = fixture("sdxl-pipeline/model");
const lora = fixture("sdxl-pipeline/lora.safetensors");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sdxl-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** The model under another scheduler config and flag. */
async function modelOf({ scheduler, zeros }: Pick<Case, "scheduler" | "zeros">): Promise<string> {
  if (!scheduler && zeros === undefined) return original;
  const model = await mkdtemp(join(folder, "model-"));
  await cp(original, model, { recursive: true });
  const change = async (file: string, changes: object) => {
    const json = JSON.parse(await readFile(join(model, file), "utf8"));
    await writeFile(join(model, file), JSON.stringify({ ...json, ...changes }));
  };
  if (scheduler) await change("scheduler/scheduler_config.json", scheduler);
  if (zeros !== undefined) await change("model_index.json", { force_zeros_for_empty_prompt: zeros });
  return model;
}

async function drawn(pipeline: Pipeline, request: PictureRequest, batch?: number): Promise<PictureEvent[]> {
  const events: PictureEvent[] = [];
  for await (const event of pipeline.generate(request, { batch })) if (event.type === "picture") events.push(event);
  return events;
}

/** Share of pixels with all channels within 1 of the reference's. */
function agreement(found: Uint8Array, expected: ArrayLike<number>): number {
  let close = 0;
  for (let pixel = 0; pixel < found.length; pixel += 3) {
    if ([0, 1, 2].every((c) => Math.abs(found[pixel + c]! - expected[pixel + c]!) <= 1)) close++;
  }
  return (close * 3) / found.length;
}

describe("an SDXL picture from the same seed is Diffusers' picture:", () => {
  const open = new Map<string, Promise<Pipeline>>();
  afterAll(async () => {
    for (const pipeline of open.values()) await (await pipeline).close();
  });
  /** One pipeline for all cases with the same model and adapters. */
  const pipelineFor = ({ request: _, name: __, ...one }: Case): Promise<Pipeline> => {
    const adapters = [one.lora, one.embedding].flatMap((file) => file ?? []);
    const load = async () =>
      Pipeline.load(await modelOf(one), {
        adapters: adapters.map((file) => fixture(`sdxl-pipeline/${file}`)),
        device: "cpu",
      });
    const key = JSON.stringify(one);
    if (!open.has(key)) open.set(key, load());
    return open.get(key)!;
  };
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const expected = await pictures(name);
    const [found] = await drawn(await pipelineFor(one), one.request);
    expect([found!.height, found!.width, 3]).toEqual([...expected.shape]);
    expect(agreement(found!.data, expected.data)).toBeGreaterThanOrEqual(0.999);
  });
});

describe("one open SDXL", () => {
  let pipeline: Pipeline;
  beforeAll(async () => {
    pipeline = await Pipeline.load(original, { adapters: [lora], device: "cpu" });
  });
  afterAll(() => pipeline.close());
  const base: PictureRequest = { prompt: "a red cat in the snow", steps: 3, seed: 3 };
  const one = async (request: PictureRequest) => (await drawn(pipeline, request))[0]!;

  test("has the family's defaults", () => {
    expect(pipeline.defaults).toEqual({
      ...{ sampler: "euler", steps: 50, scale: 5, guidance: "pg", omega: 0.6 },
      ...{ width: 32, height: 32, sideMultiple: 2 },
    });
  });

  test("at omega 1 equals cfg bit for bit", async () => {
    expect((await one({ ...base, guidance: "pg", omega: 1 })).data).toEqual(
      (await one({ ...base, guidance: "cfg" })).data,
    );
  });

  test.each([{}, { negative: "" }, { negativeCrop: { left: 4, top: 2 } }])(
    "draws four pictures at once as it draws each alone, bit for bit, with %o",
    async (more) => {
      const request = { ...base, ...more, guidance: "pg", omega: 0.3, count: 4 } as const;
      const together = await drawn(pipeline, request, 4);
      const apart = await drawn(pipeline, request, 1);
      expect(together.map(({ data }) => data)).toEqual(apart.map(({ data }) => data));
    },
  );

  test("builds no network for another omega, prompt, size, condition, or LoRA of the usual layers", async () => {
    await one(base);
    const built = pipeline.sessionsBuilt;
    await one({ ...base, omega: 0.2 });
    await one({ ...base, prompt: "a cat and ".repeat(20), negative: "a dog" });
    await one({ ...base, negative: "", originalSize: { width: 9, height: 3 }, guidance: "cfg+ag" });
    await one({ ...base, width: 48 });
    await pipeline.setAdapters([]);
    await one(base);
    await pipeline.setAdapters([`${lora}:0.5`, lora]);
    await one(base);
    await pipeline.setAdapters([lora]);
    expect(pipeline.sessionsBuilt).toBe(built);
  });

  test("tells in the recipe whether there was a negative prompt, and draws the picture again from it", async () => {
    const [absent, empty] = [await one(base), await one({ ...base, negative: "" })];
    expect(absent.recipe.request).not.toHaveProperty("negative");
    expect(empty.recipe.request).toMatchObject({ negative: "" });
    expect(absent.data).not.toEqual(empty.data);
    for (const { recipe, data } of [absent, empty]) expect((await one(recipe.request)).data).toEqual(data);
  });

  test("each negative size is by default that of the other rows", async () => {
    const sizes = { originalSize: { width: 20, height: 48 }, crop: { left: 3, top: 7 } };
    const same = { negativeOriginalSize: sizes.originalSize, negativeCrop: sizes.crop };
    const plain = await one({ ...base, ...sizes });
    expect((await one({ ...base, ...sizes, ...same })).data).toEqual(plain.data);
    expect((await one({ ...base, ...sizes, negativeCrop: { left: 0, top: 0 } })).data).not.toEqual(plain.data);
    expect(plain.recipe.request).toMatchObject(sizes);
  });

  test.each([
    [{ clipSkip: 2 }, "clip-skip-too-large"],
    [{ width: 33 }, "setting-invalid"],
    [{ crop: { left: -1, top: 0 } }, "setting-invalid"],
    [{ sampler: "flow-euler" }, "sampler-unsuited"],
  ] as const)("refuses %o", async (wrong, code) => {
    await expect(one({ ...base, ...wrong } as PictureRequest)).rejects.toThrow(refusal(code));
  });
});

test("a model that is not conditioned on sizes takes none", async () => {
  const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { device: "cpu" });
  try {
    const request = { prompt: "a cat", steps: 1, crop: { left: 0, top: 0 } };
    await expect(drawn(pipeline, request)).rejects.toThrow(refusal("setting-invalid", "crop"));
  } finally {
    await pipeline.close();
  }
});
