/** Plans of memory, the forms that save it, and what they do to pictures. */
import { describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { type PictureEvent, type PictureRequest, Pipeline } from "../src/index.ts";
import type { LoadOptions } from "../src/pipelines/load.ts";
import { type DrawingSize, type MemoryForm, plannerOf, share } from "../src/pipelines/memory-plan.ts";
import { memoryText } from "../src/pipelines/memory-text.ts";
import type { Compute } from "../src/runtime/index.ts";
import { adaptersOf, fixture, pictureCases } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const cpu: Compute = { device: "cpu", precision: "float32" };
const sana = fixture("sana-pipeline/model");
const sanaLora = fixture("sana-pipeline/lora.safetensors");
const sd15 = fixture("pipelines/sd15");
/** A case with a learned token and a LoRA. */
const both = pictureCases.find(({ name }) => name === "sd15-ti-lora-pg-0.6")!;

/** The least memory in which a plan takes this form. */
async function memoryFor(model: string, size: DrawingSize, form: MemoryForm): Promise<number> {
  const { bytes } = plannerOf(await openModel(model)).plan(cpu, size, form);
  return (bytes / share) * (1 + 1e-9);
}

async function drawn(pipeline: Pipeline, request: PictureRequest): Promise<PictureEvent[]> {
  const events: PictureEvent[] = [];
  for await (const event of pipeline.generate(request)) if (event.type === "picture") events.push(event);
  return events;
}

async function withPipeline<T>(
  model: string,
  options: LoadOptions,
  use: (pipeline: Pipeline) => Promise<T>,
): Promise<T> {
  const pipeline = await Pipeline.load(model, { device: "cpu", ...options });
  try {
    return await use(pipeline);
  } finally {
    await pipeline.close();
  }
}

const together = { textReleased: false, lowMemory: false, tiled: false };
const released = { ...together, textReleased: true };
const low = { ...together, lowMemory: true };

describe("a plan", () => {
  const size = { width: 2048, height: 2048, pictures: 1, rows: 2 };

  test("takes the simplest form that fits, and tiles last, since they change the picture", async () => {
    const model = await openModel(sd15);
    const taken = (memory: number) => {
      const { textReleased, lowMemory, tiled, fits } = plannerOf(model, { memory }).plan(cpu, size);
      return { textReleased, lowMemory, tiled, fits };
    };
    expect(taken(1e12)).toEqual({ ...together, fits: true });
    expect(taken(await memoryFor(sd15, size, released))).toEqual({ ...released, fits: true });
    expect(taken(await memoryFor(sd15, size, low))).toEqual({ ...low, fits: true });
    expect(taken((await memoryFor(sd15, size, low)) - 1e6)).toMatchObject({ tiled: true });
    expect(taken(1e8)).toEqual({ ...low, tiled: true, fits: false });
  });

  test("tiles always or never if asked to, but never a picture smaller than a tile", async () => {
    const model = await openModel(sd15);
    const tiled = (tiling: "on" | "off", side: number) =>
      plannerOf(model, { memory: 1e8, tiling }).plan(cpu, { ...size, width: side, height: side }).tiled;
    expect([tiled("on", 2048), tiled("on", 64), tiled("off", 2048)]).toEqual([true, false, false]);
  });

  test("grows with the size of the picture, the rows and the pictures at once", async () => {
    const planner = plannerOf(await openModel(sd15));
    const least = planner.plan(cpu, size, together).bytes;
    for (const larger of [{ width: 4096 }, { rows: 8 }, { pictures: 8 }]) {
      expect(planner.plan(cpu, { ...size, ...larger }, together).phases[1]!.bytes).toBeGreaterThan(
        planner.plan(cpu, size, together).phases[1]!.bytes,
      );
    }
    expect(planner.plan(cpu, { ...size, width: 4096 }, together).bytes).toBeGreaterThan(least);
  });

  test("counts the encoder only of drawings that begin from a picture", async () => {
    const planner = plannerOf(await openModel(sd15));
    const [plain, begun] = [size, { ...size, encodes: true }].map((one) => planner.plan(cpu, one, together).phases);
    expect(plain!.map(({ name }) => name)).toEqual(["text encoder", "denoiser", "decoder"]);
    expect(begun).toEqual([{ name: "encoder", bytes: expect.any(Number) }, ...plain!]);
    const [whole, tiled] = [false, true].map(
      (tiled) => planner.plan(cpu, { ...size, encodes: true }, { ...together, tiled }).phases[0]!.bytes,
    );
    expect(tiled).toBeLessThan(whole!);
  });

  test("is told in one line", async () => {
    const plan = plannerOf(await openModel(sd15), { memory: 2 ** 34 }).plan(cpu, size, released);
    expect(memoryText(plan)).toMatch(
      /^memory at 2048 x 2048 in float32: about \d+\.\d of 16\.0 GiB \(text encoder \d+\.\d, denoiser \d+\.\d, decoder \d+\.\d\); to save it, the text encoder is released before the denoiser is built$/,
    );
  });
});

describe("with the text encoder released before the denoiser is built", () => {
  test.each([
    ["SANA", sana, [sanaLora], { prompt: "a red cat", steps: 2, guidance: "pg", omega: 0.5 }],
    ["Stable Diffusion with a learned token and a LoRA", sd15, adaptersOf(both), { ...both.request, steps: 2 }],
  ] as const)("pictures are the same: %s", async (_, model, adapters, request: PictureRequest) => {
    const expected = await withPipeline(model, { adapters }, (pipeline) => drawn(pipeline, request));
    const { defaults } = await openModel(model);
    const size = { width: request.width ?? defaults.width, height: request.height ?? defaults.height, pictures: 1 };
    const memory = await memoryFor(model, { ...size, rows: 2 }, released);
    await withPipeline(model, { adapters: [], memory, drawing: { ...size, guidance: "pg" } }, async (apart) => {
      expect(apart.sessionsBuilt).toBe(0);
      await apart.setAdapters(adapters);
      for (const _ of [1, 2]) expect((await drawn(apart, request))[0]!.data).toEqual(expected[0]!.data);
      // The text encoder, its keys and values, and the denoiser, twice; and the decoder.
      expect(apart.sessionsBuilt).toBe(7);
      const first = apart.generate(request);
      await first.next();
      await expect(apart.generate(request).next()).rejects.toThrow(refusal("pipeline-busy"));
      await first.return();
    });
  });
});

describe("with weights that stay in their files", () => {
  const request: PictureRequest = { prompt: "a red cat", steps: 3, width: 128, height: 128 };
  const size = { width: 128, height: 128, pictures: 1, rows: 2 };

  test("pictures are the same but for rounding, and omega 1 is still CFG bit for bit", async () => {
    const usual = await withPipeline(sana, { adapters: [sanaLora] }, (pipeline) => drawn(pipeline, request));
    const memory = await memoryFor(sana, size, low);
    await withPipeline(sana, { adapters: [sanaLora], memory, drawing: size }, async (pipeline) => {
      const [found] = await drawn(pipeline, request);
      const far = found!.data.filter((value, i) => Math.abs(value - usual[0]!.data[i]!) > 1).length;
      expect(far).toBeLessThanOrEqual(0.001 * found!.data.length);
      const [pg] = await drawn(pipeline, { ...request, guidance: "pg", omega: 1 });
      const [cfg] = await drawn(pipeline, { ...request, guidance: "cfg" });
      expect(pg!.data).toEqual(cfg!.data);
    });
  });
});

describe("a drawing that cannot fit", () => {
  const request: PictureRequest = { prompt: "a cat", width: 512, height: 512, steps: 1 };

  test("is refused before loading if its size is known, else before anything is computed, naming what would fit", async () => {
    // For networks as small as these, the low form is no smaller than this one.
    const small = await memoryFor(sd15, { width: 128, height: 128, pictures: 1, rows: 2 }, released);
    const named = refusal("memory-short", "512 x 512", "--width 128 --height 128", "--memory 1");
    const options = { device: "cpu", memory: small } as const;
    await expect(Pipeline.load(sd15, { ...options, drawing: request })).rejects.toThrow(named);
    await withPipeline(sd15, options, async (pipeline) => {
      await expect(pipeline.generate(request).next()).rejects.toThrow(named);
      expect(await drawn(pipeline, { ...request, width: 64, height: 64 })).toHaveLength(1);
    });
  });
});

test("a picture decoded in tiles says so in its recipe", async () => {
  const request: PictureRequest = { prompt: "a cat", width: 544, height: 64, steps: 1, guidance: "none" };
  const [whole] = await withPipeline(sana, {}, (pipeline) => drawn(pipeline, request));
  const [tiled] = await withPipeline(sana, { tiling: "on" }, (pipeline) => drawn(pipeline, request));
  expect([whole!.recipe.tiled, tiled!.recipe.tiled]).toEqual([undefined, true]);
  expect(tiled!.data).not.toEqual(whole!.data);
});

test("a picture to begin from is encoded in tiles too", async () => {
  const image = { width: 544, height: 64, data: Uint8Array.from({ length: 3 * 544 * 64 }, (_, i) => (i * 37) % 256) };
  const request = {
    prompt: "a cat",
    width: 544,
    height: 64,
    steps: 2,
    guidance: "none",
    image,
    strength: 0.5,
  } as const;
  const encoded = (tiling: "on" | "off") =>
    withPipeline(sd15, { tiling, drawing: request }, async (pipeline) => {
      for await (const event of pipeline.generate(request)) if (event.type === "step") return event.preview();
      throw new Error("no step");
    });
  expect(await encoded("on")).not.toEqual(await encoded("off"));
});
