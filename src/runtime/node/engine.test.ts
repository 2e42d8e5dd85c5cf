import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { addsNothingAtRankZero, feedsKeptOutputs, servesEveryBatchSize } from "../../../test/any-engine.ts";
import { refusal } from "../../../test/refusal.ts";
import { readSafetensors, writeSafetensors } from "../../bytes/safetensors.ts";
import { add, constant, gather, input, matmul, parameter, symbol } from "../../graph/index.ts";
import type { Engine } from "../engine.ts";
import { float32 } from "../tensor.ts";
import { startEngine } from "./engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

test("one session serves every batch size", () => servesEveryBatchSize(engine));

test("a low-rank branch of rank zero adds nothing", () => addsNothingAtRankZero(engine));

test("outputs kept in the worker feed a later run", () => feedsKeptOutputs(engine));

test("the main thread stays free while a graph runs", async () => {
  const x = input("x", [700, 700]);
  let y = x;
  for (let i = 0; i < 20; i++) y = matmul(y, x);
  const session = await engine.compile("long graph", { y });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  await session.run({ x: float32([700, 700], new Float32Array(700 * 700)) });
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(1);
});

test("a wrongly shaped input is named before anything runs", async () => {
  const session = await engine.compile("test graph", { y: add(input("x", [symbol("n"), 2]), 1) });
  expect(() => session.run({ x: float32([4], [1, 2, 3, 4]) })).toThrow("input x is [4], not float32 [n, 2]");
});

describe("a failure in the runtime", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("a network whose weights are missing is not built, and the file is named", async () => {
    const file = join(folder, "w.safetensors");
    await writeSafetensors(file, [{ name: "w", dtype: "float32", shape: [2, 4], data: new Uint8Array(32) }]);
    const weights = parameter((await readSafetensors(file)).tensors.get("w")!);
    await rm(file);
    const at = await realpath(folder);
    const compiling = engine.compile("test graph", { y: matmul(input("x", [1, 2]), weights) });
    await expect(compiling).rejects.toThrow(refusal("network-not-built", "test graph", "cpu", at));
  });

  test("weights that are not finite are refused, also before their graph is built, and counted as no session", async () => {
    const file = join(folder, "w.safetensors");
    await writeSafetensors(file, [
      { name: "w", dtype: "float32", shape: [1, 2], data: new Uint8Array(Float32Array.of(1, Number.NaN).buffer) },
      { name: "unused", dtype: "float32", shape: [1], data: new Uint8Array(Float32Array.of(Number.NaN).buffer) },
      { name: "sound", dtype: "float32", shape: [1, 2], data: new Uint8Array(8) },
    ]);
    const { tensors } = await readSafetensors(file);
    const graphOf = (name: string) => ({ y: add(input("x", [1, 2]), parameter(tensors.get(name)!)) });
    const before = engine.sessionsBuilt;
    const refused = refusal("not-finite", await realpath(file), '"w"');
    await expect(engine.check(graphOf("w"))).rejects.toThrow(refused);
    await expect(engine.compile("test graph", graphOf("w"))).rejects.toThrow(refused);
    // Nothing of a refused graph counts as checked.
    await expect(engine.compile("test graph", graphOf("w"))).rejects.toThrow(refused);
    expect(engine.sessionsBuilt).toBe(before);
    await engine.compile("test graph", graphOf("sound"));
  });

  test("a weight is read for its check once, however many graphs use it", async () => {
    const file = join(folder, "w.safetensors");
    await writeSafetensors(file, [{ name: "w", dtype: "float32", shape: [1, 2], data: new Uint8Array(8) }]);
    const ref = (await readSafetensors(file)).tensors.get("w")!;
    let read = 0;
    const source: typeof ref.source = {
      ...ref.source,
      read: (...asked) => {
        read += asked[1];
        return ref.source.read(...asked);
      },
    };
    const counted = parameter({ ...ref, source });
    await engine.check({ y: add(input("x", [1, 2]), counted) });
    await engine.compile("test graph", { y: add(input("x", [1, 2]), counted) });
    await engine.compile("another graph", { y: matmul(counted, input("x", [2, 1])) });
    expect(read).toBe(8);
  });

  test("a row beyond a table's end", async () => {
    const table = constant([2, 1], [10, 20]);
    const session = await engine.compile("test graph", { y: gather(table, input("x", [1], "int32")) });
    const running = session.run({ x: { shape: [1], data: Int32Array.of(7) } });
    await expect(running).rejects.toThrow(refusal("network-failed", "test graph", "cpu"));
  });

  test("a closed engine", async () => {
    const short = await startEngine();
    const session = await short.compile("test graph", { y: add(input("x", [1]), 1) });
    await short.close();
    await expect(session.run({ x: float32([1], [1]) })).rejects.toThrow(refusal("engine-closed"));
    await expect(short.compile("another", { y: input("x", [1]) })).rejects.toThrow(refusal("engine-closed"));
  });
});

test("an engine closed while building a network ends when the network is built", async () => {
  const short = await startEngine();
  let y = input("x", [300]);
  // Large enough that the thread is still building when it is told to end.
  for (let i = 0; i < 2000; i++) y = add(y, constant([300], new Float32Array(300).fill(i + 1)));
  const building = short.compile("large graph", { y });
  await new Promise((resolve) => setTimeout(resolve, 30));
  await short.close();
  expect((await building).inputs.has("x")).toBe(true);
});

test("profiling sums the time of every operator", async () => {
  const profiled = await startEngine({ profile: true });
  const session = await profiled.compile("test graph", { y: matmul(input("x", [1, 2]), constant([2, 1], [10, 1])) });
  await session.run({ x: float32([1, 2], [1, 2]) });
  const times = await profiled.close();
  expect(times.find((t) => t.operator === "MatMul")).toMatchObject({ graph: "test graph", calls: 1 });
});
