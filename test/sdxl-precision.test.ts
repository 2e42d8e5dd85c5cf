/** SDXL in int8, bfloat16 and float16, on the tiny network of parity/fixtures/sdxl-pipeline. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { type LoadOptions, type PictureRequest, Pipeline } from "../src/index.ts";
import { modulesOf } from "../src/models/components.ts";
import { lazyDecoder } from "../src/pipelines/decoder.ts";
import { startEngine, type Tensor } from "../src/runtime/index.ts";
import { fixture, reference } from "./fixtures.ts";
import { bfloat16Missing } from "./openvino-here.ts";

const model = fixture("sdxl-pipeline/model");
const request: PictureRequest = { prompt: "a red cat in the snow", steps: 3, seed: 3, guidance: "pg", omega: 0.3 };

const load = (options: LoadOptions) =>
  Pipeline.load(model, { adapters: [fixture("sdxl-pipeline/lora.safetensors")], ...options });

async function drawn(pipeline: Pipeline, more: Partial<PictureRequest> = {}, batch?: number): Promise<Uint8Array[]> {
  const pictures: Uint8Array[] = [];
  for await (const event of pipeline.generate({ ...request, ...more }, { batch }))
    if (event.type === "picture") pictures.push(event.data);
  return pictures;
}

/** Peak signal-to-noise ratio in dB. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

const coarse: readonly (readonly [string, LoadOptions, skip: boolean])[] = [
  ["int8", { device: "cpu", precision: "int8" }, false],
  ["bfloat16 by OpenVINO", { device: "openvino", precision: "bfloat16" }, bfloat16Missing !== undefined],
];
describe.each(coarse)("in %s", (_, options, skip) => {
  // int8 weights go to a cache of the test's own; OpenVINO may be installed in the usual one.
  const own = options.precision === "int8";
  const before = process.env.XDG_CACHE_HOME;
  let cache: string;
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), "tiller-sdxl-precision-"));
    if (own) process.env.XDG_CACHE_HOME = cache;
  });
  afterAll(async () => {
    if (own && before === undefined) delete process.env.XDG_CACHE_HOME;
    else if (own) process.env.XDG_CACHE_HOME = before;
    await rm(cache, { recursive: true });
  });

  test.skipIf(skip)(
    "nearly the same picture; omega 1 equals cfg and a batch equals single pictures, bit for bit",
    async () => {
      const exact = await load({ device: "cpu" });
      const [expected] = await drawn(exact);
      await exact.close();
      const pipeline = await load(options);
      try {
        const [found] = await drawn(pipeline);
        expect(found).not.toEqual(expected);
        // Random weights amplify errors that a trained network damps.
        expect(psnr(found!, expected!)).toBeGreaterThan(20);
        const built = pipeline.sessionsBuilt;
        expect(await drawn(pipeline, { omega: 1 })).toEqual(await drawn(pipeline, { guidance: "cfg" }));
        expect(await drawn(pipeline, { count: 2 }, 2)).toEqual(await drawn(pipeline, { count: 2 }, 1));
        expect(pipeline.sessionsBuilt).toBe(built);
      } finally {
        await pipeline.close();
      }
    },
  );
});

describe("in float16", () => {
  test("the U-Net is within 2e-3 of float32, and the autoencoder is in float32, bit for bit", async () => {
    const answers = await reference("../sdxl-networks/answers.safetensors");
    const sdxl = await openModel(model);
    const modules = modulesOf(sdxl.components);
    const engines = [
      await startEngine({ threads: 1 }),
      await startEngine({ threads: 1, target: { real: "float16", fused: new Set() } }),
    ];
    try {
      const predictions: Tensor[] = [];
      const pictures: Uint8Array[] = [];
      for (const engine of engines) {
        const prepare = await engine.compile("prepare", sdxl.denoiser.prepare(modules));
        const [text, text_embeds] = [await answers("text"), await answers("text_embeds")];
        const prepared = await prepare.run({ text, text_embeds, time_ids: await answers("time_ids") });
        const predict = await engine.compile("predict", sdxl.denoiser.predict(modules));
        const given = { latents: await answers("latents"), timestep: await answers("timestep") };
        predictions.push((await predict.run({ ...given, ...prepared })).prediction!);
        const latents = (await answers("latents")).data.slice(0, 4 * 16 * 16) as Float32Array;
        pictures.push((await lazyDecoder(engine, sdxl).decode(latents, 16, 16)).data);
      }
      const [exact, half] = predictions.map(({ data }) => data as Float32Array) as [Float32Array, Float32Array];
      const norm = (values: Float32Array) => Math.hypot(...values);
      const difference = norm(half.map((value, i) => value - exact[i]!)) / norm(exact);
      expect(difference).toBeGreaterThan(0);
      expect(difference).toBeLessThan(2e-3);
      expect(pictures[1]).toEqual(pictures[0]);
    } finally {
      for (const engine of engines) await engine.close();
    }
  });
});
