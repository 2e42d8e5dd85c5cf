import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { addsNothingAtRankZero, feedsKeptOutputs, servesEveryBatchSize } from "../../../../test/any-engine.ts";
import { openVinoMissing } from "../../../../test/openvino-here.ts";
import { fromFloat32 } from "../../../bytes/elements.ts";
import { readSafetensors, writeSafetensors } from "../../../bytes/safetensors.ts";
import { add, conv, grad, input, linear, mean, multiply, parameter } from "../../../graph/index.ts";
import type { Engine } from "../../engine.ts";
import { float32 } from "../../tensor.ts";
import { startEngine } from "../engine.ts";

/** Whether weights may be links, as on most systems; else OpenVINO gets their addresses. */
const linking = vi.hoisted(() => ({ allowed: true }));
vi.mock("./links.ts", async (original) => {
  const { makeLinks } = await original<typeof import("./links.ts")>();
  return { makeLinks: () => (linking.allowed ? makeLinks() : { ...makeLinks(), nameOf: () => undefined }) };
});

describe.skipIf(openVinoMissing !== undefined)("OpenVINO", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine({ device: "openvino" });
  });
  afterAll(() => engine.close());

  test("one session serves every batch size", () => servesEveryBatchSize(engine));

  test.each(["float32", "bfloat16"] as const)(
    "a low-rank branch of rank zero adds nothing, in %s",
    async (precision) => {
      const own = await startEngine({ device: "openvino", precision });
      await addsNothingAtRankZero(own);
      await own.close();
    },
  );

  test("kept outputs feed a later run", () => feedsKeptOutputs(engine));

  // OpenVINO repacks a constant once per address and shape, however it is used: of a square weight used as it is in the forward
  // pass and transposed in the backward pass, one use would silently be wrong. Twins have separate addresses.
  test.each([
    ["float32", "links"],
    ["bfloat16", "links"],
    ["float32", "addresses"],
    ["bfloat16", "addresses"],
  ] as const)(
    "gradients through square weights equal ONNX Runtime's, in %s, the weights given as %s",
    async (precision, how) => {
      linking.allowed = how === "links";
      const folder = await mkdtemp(join(tmpdir(), "tiller-openvino-"));
      const wave = (count: number, from: number) =>
        Float32Array.from({ length: count }, (_, i) => ((Math.sin(12.9898 * (i + 1000 * from)) * 43758.5453) % 1) / 3);
      const shapes = { linear: [32, 32], second: [32, 32], one: [32, 32, 1, 1], three: [32, 32, 3, 3], half: [32, 32] };
      const file = join(folder, "weights.safetensors");
      const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
      await writeSafetensors(
        file,
        Object.entries(shapes).map(([name, shape], i) => {
          const dtype = name === "half" ? "bfloat16" : "float32";
          const data = new Uint8Array(fromFloat32(wave(sizeOf(shape), i), dtype));
          return { name, dtype, shape, data };
        }),
      );
      const { tensors } = await readSafetensors(file);
      const weight = (name: keyof typeof shapes) => parameter(tensors.get(name)!);
      const [x, p] = [input("x", [2, 32]), input("p", [1, 32, 8, 8])];
      const y = linear(linear(linear(x, weight("linear")), weight("second")), weight("half"));
      const smaller = conv(p, weight("three"), undefined, { stride: 2, padding: [1, 1, 1, 1] });
      const q = conv(conv(smaller, weight("three"), undefined, { padding: [1, 1, 1, 1] }), weight("one"));
      const loss = add(mean(multiply(y, y)), mean(multiply(q, q)));
      const [gx, gp] = grad(loss, [x, p]) as [typeof x, typeof p];
      const feeds = { x: float32([2, 32], wave(64, 9)), p: float32([1, 32, 8, 8], wave(2048, 5)) };
      const results = [];
      for (const options of [{ device: "cpu" }, { device: "openvino", precision }] as const) {
        const own = await startEngine(options);
        const session = await own.compile("gradients", { loss, gx, gp });
        results.push(await session.run(feeds));
        await own.close();
      }
      const [expected, found] = results as [(typeof results)[0], (typeof results)[0]];
      for (const name of ["gx", "gp"]) {
        const [a, b] = [expected[name]!.data, found[name]!.data];
        const difference = Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...a);
        // Sums are in another order; bfloat16 has eight bits, and there are six consecutive products.
        expect(difference, name).toBeLessThan(precision === "float32" ? 1e-5 : 3e-2);
      }
      linking.allowed = true;
      await rm(folder, { recursive: true });
    },
  );
});
