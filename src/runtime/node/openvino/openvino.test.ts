import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { add, constant, input, matmul, multiply, symbol } from "../../../graph/index.ts";
import type { Engine } from "../../engine.ts";
import { float32 } from "../../tensor.ts";
import { startEngine } from "../engine.ts";
import { findLibrary } from "./find.ts";

const missing = await findLibrary().then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) {
  if (process.env.CI === "true") throw new Error(missing);
  console.warn(`SKIPPED: OpenVINO's tests. ${missing}`);
}

describe.skipIf(missing !== undefined)("OpenVINO", () => {
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

  test("a low-rank branch of rank zero adds nothing", async () => {
    const rank = symbol("rank");
    const x = input("x", [1, 3, 2]);
    const down = input("down", [2, rank]);
    const up = input("up", [rank, 2]);
    const s = input("s", [1, 1, rank]);
    const session = await engine.compile("test graph", { y: add(x, matmul(multiply(matmul(x, down), s), up)) });
    const values = [1, 2, 3, 4, 5, 6];
    const feeds = (r: number, fill: number) => ({
      x: float32([1, 3, 2], values),
      down: float32([2, r], Array(2 * r).fill(fill)),
      up: float32([r, 2], Array(2 * r).fill(fill)),
      s: float32([1, 1, r], Array(r).fill(fill)),
    });
    expect([...(await session.run(feeds(0, 1))).y!.data]).toEqual(values);
    expect([...(await session.run(feeds(1, 1))).y!.data]).toEqual([4, 5, 10, 11, 16, 17]);
  });

  test("kept outputs feed a later run", async () => {
    const x = input("x", [2]);
    const first = await engine.compile("first graph", { y: add(x, 1) });
    const second = await engine.compile("second graph", { z: multiply(input("y", [2]), 10) });
    const kept = await first.keep({ x: float32([2], [1, 2]) });
    expect([...(await second.run({ y: kept })).z!.data]).toEqual([20, 30]);
    await engine.drop(kept);
    await expect(second.run({ y: kept })).rejects.toMatchObject({ code: "network-failed" });
  });
});
