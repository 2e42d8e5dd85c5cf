/** Drawing with int8 products, on the embedded model and on fixtures. */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { encode } from "../src/graph/index.ts";
import { type LoadOptions, type PictureRequest, Pipeline, train } from "../src/index.ts";
import { modulesOf } from "../src/models/components.ts";
import { targets } from "../src/runtime/index.ts";
import { bytes, lora, model, pictures, request } from "./drawing.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const load = (options: LoadOptions = {}) => Pipeline.load(model, { adapters: [lora], precision: "int8", ...options });

let cache: string;
let pipeline: Pipeline;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "tiller-test-"));
  process.env.XDG_CACHE_HOME = cache;
  pipeline = await load();
});
afterAll(async () => {
  await pipeline.close();
  await rm(cache, { recursive: true });
});

test("runs on the CPU, and the recipe records the precision", async () => {
  const [picture] = await pictures(pipeline, { ...request, steps: 1 });
  expect(picture!.recipe.computed).toEqual({ device: "cpu", precision: "int8" });
});

test("at omega 1 gives exactly cfg's picture", async () => {
  const dial = await pictures(pipeline, { ...request, omega: 1 });
  expect(bytes(dial)).toEqual(bytes(await pictures(pipeline, { ...request, guidance: "cfg" })));
  expect(bytes(dial)).not.toEqual(bytes(await pictures(pipeline, request)));
});

test("a batch of four gives the pictures of four single runs", async () => {
  const four = await pictures(pipeline, { ...request, count: 4 }, 4);
  const singles = [];
  for (const seed of [3, 4, 5, 6]) singles.push(...(await pictures(pipeline, { ...request, seed })));
  expect(bytes(four)).toEqual(bytes(singles));
});

test("no session is built when omega, the prompt, the size or covered adapters change", async () => {
  await pictures(pipeline, { ...request, steps: 1 });
  const built = pipeline.sessionsBuilt;
  for (const change of [{ omega: 0 }, { prompt: "a dog" }, { width: 96 }, { count: 3 }]) {
    await pictures(pipeline, { ...request, steps: 1, ...change });
  }
  await pipeline.setAdapters([fixture("adapters/lora-diffusers-old.safetensors")]);
  await pipeline.setAdapters([lora]);
  expect(pipeline.sessionsBuilt).toBe(built);
});

describe("the weights", () => {
  const files = async () => {
    const folder = join(cache, "tiller", "int8");
    const names = await readdir(folder);
    return Promise.all(names.map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })));
  };

  test("are quantised once, whatever the adapters", async () => {
    const before = await files();
    expect(before).toHaveLength(1);
    const other = await load({ adapters: [] });
    await other.close();
    expect(await files()).toEqual(before);
  });

  test("of another variant of the model are stored separately", async () => {
    const before = await files();
    const other = await Pipeline.load(fixture("pipelines/sd15-fp16"), { precision: "int8" });
    await other.close();
    expect(await files()).toHaveLength(before.length + 1);
  });
});

test("dinghy draws nearly the same picture as in float32", async () => {
  const wanted: PictureRequest = { prompt: "a red ball in the snow", steps: 10, seed: 5 };
  const draw = async (precision: "float32" | "int8") => {
    const dinghy = await Pipeline.load("dinghy", { device: "cpu", precision });
    try {
      const [picture] = await pictures(dinghy, wanted);
      return picture!.data;
    } finally {
      await dinghy.close();
    }
  };
  const [int8, float32] = [await draw("int8"), await draw("float32")];
  const error = int8.reduce((sum, v, i) => sum + (v - float32[i]!) ** 2, 0) / int8.length;
  expect(error).toBeGreaterThan(0);
  // Measured: 32 dB, and 33 dB on average over fifty others; seven-bit weights give less, and a different picture 10 to 20 dB.
  expect(10 * Math.log10(255 ** 2 / error)).toBeGreaterThan(24);
});

test("the float32 graph is the same with and without a table of layers, byte for byte", async () => {
  const { components, denoiser } = await openModel("dinghy");
  expect(denoiser.float32.unet).toBeInstanceOf(RegExp);
  const graph = (float32: Readonly<Record<string, RegExp>>) =>
    encode(denoiser.predict(modulesOf(components, { float32 })), targets.cpu).model;
  expect(graph(denoiser.float32)).toEqual(graph({}));
});

test("int8 is refused on other devices and in training", async () => {
  await expect(load({ device: "openvino" })).rejects.toMatchObject({
    code: expect.stringMatching(/unavailable|missing/),
  });
  const training = train(
    "dreambooth",
    { model: "dinghy", images: cache, token: "sks", class: "dog", out: join(cache, "a.safetensors") },
    { precision: "int8" },
  );
  await expect(training.next()).rejects.toThrow(refusal("precision-unavailable", "int8"));
});
