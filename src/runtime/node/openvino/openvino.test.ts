import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openVinoMissing } from "../../../../test/openvino-here.ts";
import { fromFloat32 } from "../../../bytes/elements.ts";
import { readSafetensors, writeSafetensors } from "../../../bytes/safetensors.ts";
import {
  add,
  constant,
  conv,
  grad,
  input,
  linear,
  matmul,
  mean,
  multiply,
  parameter,
  symbol,
} from "../../../graph/index.ts";
import type { Engine } from "../../engine.ts";
import { float32 } from "../../tensor.ts";
import { startEngine } from "../engine.ts";

describe.skipIf(openVinoMissing !== undefined)("OpenVINO", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine({ device: "openvino" });
  });
  afterAll(() => engine.close());

  test("one session serves every batch size", async () => {
    const x = input("x", [symbol("batch"), 2]);
    const session = await engine.compile("test graph", { y: matmul(x, constant([2, 1], [10, 1])) });
    expect((await session.run({ x: float32([1, 2], [1, 2]) })).y?.data).toEqual(Float32Array.of(12));
    expect((await session.run({ x: float32([2, 2], [1, 2, 3, 4]) })).y).toEqual({
      shape: [2, 1],
      data: Float32Array.of(12, 34),
    });
    expect((await session.run({ x: float32([1, 2], [5, 6]) })).y?.data).toEqual(Float32Array.of(56));
  });

  test.each(["float32", "bfloat16"] as const)(
    "a low-rank branch of rank zero adds nothing, in %s",
    async (precision) => {
      const own = await startEngine({ device: "openvino", precision });
      const rank = symbol("rank");
      const x = input("x", [1, 3, 2]);
      const down = input("down", [2, rank]);
      const up = input("up", [rank, 2]);
      const s = input("s", [1, 1, rank]);
      const session = await own.compile("test graph", { y: add(x, matmul(multiply(matmul(x, down), s), up)) });
      const values = [1, 2, 3, 4, 5, 6];
      const feeds = (r: number, fill: number) => ({
        x: float32([1, 3, 2], values),
        down: float32([2, r], Array(2 * r).fill(fill)),
        up: float32([r, 2], Array(2 * r).fill(fill)),
        s: float32([1, 1, r], Array(r).fill(fill)),
      });
      expect([...(await session.run(feeds(0, 1))).y!.data]).toEqual(values);
      expect([...(await session.run(feeds(1, 1))).y!.data]).toEqual([4, 5, 10, 11, 16, 17]);
      await own.close();
    },
  );

  test("kept outputs feed a later run", async () => {
    const x = input("x", [2]);
    const first = await engine.compile("first graph", { y: add(x, 1) });
    const second = await engine.compile("second graph", { z: multiply(input("y", [2]), 10) });
    const kept = await first.keep({ x: float32([2], [1, 2]) });
    expect([...(await second.run({ y: kept })).z!.data]).toEqual([20, 30]);
    await engine.drop(kept);
    await expect(second.run({ y: kept })).rejects.toMatchObject({ code: "network-failed" });
  });

  // OpenVINO repacks a constant once for each address and shape, however it is used: of a square weight that goes forward one
  // way and backward the other, one of the two would be wrong without a word. Twins have addresses of their own.
  test.each(["float32", "bfloat16"] as const)(
    "gradients through square weights are ONNX Runtime's, in %s",
    async (precision) => {
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
        // Sums in another order; bfloat16 has eight bits, and there are six products in a row.
        expect(difference, name).toBeLessThan(precision === "float32" ? 1e-5 : 3e-2);
      }
      await rm(folder, { recursive: true });
    },
  );
});
