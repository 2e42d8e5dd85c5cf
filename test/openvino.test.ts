/** Pictures and training with the second engine, through the public API. */
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../src/bytes/safetensors.ts";
import { encodePng, Pipeline, readFloat32, train } from "../src/index.ts";
import { writeWhole } from "../src/internal.ts";
import { lora, model, pictures, request } from "./drawing.ts";
import { bfloat16Missing, openVinoMissing } from "./openvino-here.ts";

const pixels = async (...asked: Parameters<typeof pictures>) => (await pictures(...asked)).map(({ data }) => data);
const load = (options: Parameters<typeof Pipeline.load>[1]) => Pipeline.load(model, { adapters: [lora], ...options });

/** In decibels. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

describe.skipIf(openVinoMissing !== undefined)("OpenVINO", () => {
  let expected: Uint8Array;
  beforeAll(async () => {
    const pipeline = await load({ device: "cpu" });
    [expected] = (await pixels(pipeline, request)) as [Uint8Array];
    await pipeline.close();
  });

  test("draws ONNX Runtime's picture in float32, within 1/255", async () => {
    const pipeline = await load({ device: "openvino" });
    const [found] = (await pixels(pipeline, request)) as [Uint8Array];
    await pipeline.close();
    const far = found.filter((value, i) => Math.abs(value - expected[i]!) > 1).length;
    expect(far / found.length).toBeLessThan(0.001);
  });

  test.skipIf(bfloat16Missing !== undefined)(
    "in bfloat16: nearly the same picture; omega 1 equals cfg and a batch equals single pictures, bit for bit",
    async () => {
      const pipeline = await load({ device: "openvino", precision: "bfloat16" });
      expect(pipeline.precision).toBe("bfloat16");
      const [found] = (await pixels(pipeline, request)) as [Uint8Array];
      // Random weights amplify errors that a trained network damps; dinghy's pictures, below, are closer.
      expect(psnr(found, expected)).toBeGreaterThan(20);
      const [dial] = await pixels(pipeline, { ...request, omega: 1 });
      const [cfg] = await pixels(pipeline, { ...request, guidance: "cfg" });
      expect(dial).toEqual(cfg);
      const together = await pixels(pipeline, { ...request, count: 2 }, 2);
      const apart = await pixels(pipeline, { ...request, count: 2 }, 1);
      expect(together).toEqual(apart);
      await pipeline.close();
    },
  );

  test.skipIf(bfloat16Missing !== undefined)(
    "in bfloat16 a trained network's picture looks the same as in float32",
    async () => {
      const drawn: Uint8Array[] = [];
      for (const options of [{ device: "cpu" }, { device: "openvino", precision: "bfloat16" }] as const) {
        const pipeline = await Pipeline.load("dinghy", options);
        drawn.push(...(await pixels(pipeline, { prompt: "a corgi in the snow", steps: 6, scale: 2.5, seed: 3 })));
        await pipeline.close();
      }
      expect(psnr(drawn[0]!, drawn[1]!)).toBeGreaterThan(35);
    },
  );

  test("garbage collection while OpenVINO computes changes no picture", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const pipeline = await Pipeline.load("dinghy", { device: "openvino" });
    const request = { prompt: "a corgi in the snow", steps: 4, scale: 2.5, seed: 3, count: 1 } as const;
    const expected = await pixels(pipeline, request);
    // Without an adapter, each of its branches is fed zeros that nothing else refers to. Before they were held, one picture in
    // six came out otherwise.
    const timer = setInterval(collect, 5);
    for (let i = 0; i < 16; i++) expect(await pixels(pipeline, request)).toEqual(expected);
    clearInterval(timer);
    await pipeline.close();
  });

  describe("training", () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "tiller-openvino-"));
      await mkdir(join(folder, "images"));
      const shades = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 37) % 256);
      await writeWhole(join(folder, "images", "a.png"), await encodePng({ width: 64, height: 64, data: shades }));
      await copyFile(join(folder, "images", "a.png"), join(folder, "images", "b.png"));
    });
    afterAll(() => rm(folder, { recursive: true }));

    async function learned(name: string, options: Parameters<typeof train>[2]): Promise<Map<string, Float32Array>> {
      const out = join(folder, `${name}.safetensors`);
      const settings = {
        model,
        images: join(folder, "images"),
        token: "sks",
        class: "cat",
        out,
        steps: 3,
        prior: false,
      };
      for await (const _ of train("dreambooth", { ...settings, learningRate: 1e-2 }, options));
      const { tensors } = await readSafetensors(out);
      const values = new Map<string, Float32Array>();
      for (const [key, ref] of tensors) values.set(key, await readFloat32(ref));
      return values;
    }

    test("in float32 training gives the same result as ONNX Runtime", async () => {
      const [ours, theirs] = [
        await learned("cpu", { device: "cpu" }),
        await learned("openvino", { device: "openvino" }),
      ];
      expect([...theirs.keys()]).toEqual([...ours.keys()]);
      let [difference, size] = [0, 0];
      for (const [key, values] of ours) {
        values.forEach((value, i) => {
          difference += (value - theirs.get(key)![i]!) ** 2;
          size += value ** 2;
        });
      }
      // Three steps of AdamW, which divides by the gradient's magnitude, so small differences in small gradients matter.
      expect(Math.sqrt(difference / size)).toBeLessThan(1e-3);
    });
  });
});
