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

test("computes on the processor, and a picture's recipe says in what", async () => {
  const [picture] = await pictures(pipeline, { ...request, steps: 1 });
  expect(picture!.recipe.computed).toEqual({ device: "cpu", precision: "int8" });
});

test("at omega 1 gives exactly the picture of cfg", async () => {
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

  test("are quantised once, whatever adapters there are", async () => {
    const before = await files();
    expect(before).toHaveLength(1);
    const other = await load({ adapters: [] });
    await other.close();
    expect(await files()).toEqual(before);
  });

  test("of another spelling of the model are others", async () => {
    const before = await files();
    const other = await Pipeline.load(fixture("pipelines/sd15-fp16"), { precision: "int8" });
    await other.close();
    expect(await files()).toHaveLength(before.length + 1);
  });
});

test("dinghy draws what it draws in float32, nearly", async () => {
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
  // It was at 32, fifty others at 33 on average; weights of seven bits are at less, and another picture is at 10 to 20.
  expect(10 * Math.log10(255 ** 2 / error)).toBeGreaterThan(24);
});

test("the graph of float32 is what it was without a table of layers, byte for byte", async () => {
  const { components, denoiser } = await openModel("dinghy");
  expect(denoiser.float32.unet).toBeInstanceOf(RegExp);
  const graph = (float32: Readonly<Record<string, RegExp>>) =>
    encode(denoiser.predict(modulesOf(components, { float32 })), targets.cpu).model;
  expect(graph(denoiser.float32)).toEqual(graph({}));
});

test("on another device it is refused, and so is training", async () => {
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
