/** Checks that every engine must pass, whatever its runtime. */
import { expect } from "vitest";
import { add, constant, input, matmul, multiply, symbol } from "../src/graph/index.ts";
import { type Engine, float32 } from "../src/runtime/index.ts";
import { refusal } from "./refusal.ts";

export async function servesEveryBatchSize(engine: Engine): Promise<void> {
  const x = input("x", [symbol("batch"), 2]);
  const session = await engine.compile("test graph", { y: matmul(x, constant([2, 1], [10, 1])) });
  expect((await session.run({ x: float32([1, 2], [1, 2]) })).y?.data).toEqual(Float32Array.of(12));
  const { y } = await session.run({ x: float32([2, 2], [1, 2, 3, 4]) });
  expect([y?.shape, y?.data]).toEqual([[2, 1], Float32Array.of(12, 34)]);
  expect((await session.run({ x: float32([1, 2], [5, 6]) })).y?.data).toEqual(Float32Array.of(56));
}

export async function addsNothingAtRankZero(engine: Engine): Promise<void> {
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
}

export async function feedsKeptOutputs(engine: Engine): Promise<void> {
  const x = input("x", [2]);
  const first = await engine.compile("first graph", { y: add(x, 1) });
  const second = await engine.compile("second graph", { z: multiply(input("y", [2]), 10) });
  const kept = await first.keep({ x: float32([2], [1, 2]) });
  expect([...(await second.run({ y: kept })).z!.data]).toEqual([20, 30]);
  await engine.drop(kept);
  await expect(second.run({ y: kept })).rejects.toThrow(refusal("network-failed", "second graph", "y"));
}
