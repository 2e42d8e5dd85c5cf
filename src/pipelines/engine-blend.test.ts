/** A blend in the engine's memory is the one that is computed here, whatever happened before. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { type FloatDType, fromFloat32 } from "../bytes/elements.ts";
import { readSafetensors, writeSafetensors } from "../bytes/safetensors.ts";
import * as g from "../graph/index.ts";
import { normalValues } from "../random/streams.ts";
import { type Engine, startEngine } from "../runtime/index.ts";
import { blendTensor, type Pair } from "../weights/blend.ts";
import { blendInEngine, type EngineBlend } from "./engine-blend.ts";

let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "tiller-test-")));
  engine = await startEngine({ device: "cpu", threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

const shape = [40, 25];
const values = (seed: number) => normalValues(seed, "latents", 0, 1000);

/** Two models of a tensor for each number type, and one whose values are near the largest that is computed with. */
async function pairsOf(name: string, change: (values: Float32Array) => void = () => {}): Promise<Map<string, Pair>> {
  const dtypes = ["float32", "float16", "bfloat16"] as const satisfies readonly FloatDType[];
  const [tuned, pre] = await Promise.all(
    [1, 2].map(async (seed) => {
      const file = join(folder, `${name}-${seed}.safetensors`);
      const large = values(seed).map((value, i) => (i % 2 ? value : 9e8 * (seed === 1 ? 1 : -1)));
      const ordinary = dtypes.map((dtype) => ({ name: dtype as string, dtype, values: values(seed) }));
      const all = [...ordinary, { name: "large", dtype: "float32" as const, values: large }];
      if (seed === 1) for (const one of all) change(one.values);
      const data = all.map((one) => ({ ...one, shape, data: fromFloat32(one.values, one.dtype) }));
      await writeSafetensors(file, data);
      return (await readSafetensors(file)).tensors;
    }),
  );
  return new Map([...tuned!].map(([key, ref]) => [key, { tuned: ref, pre: pre!.get(key)! }]));
}

/** The blended tensors as graphs read them. */
async function inEngine(blend: EngineBlend, pairs: ReadonlyMap<string, Pair>): Promise<Record<string, Float32Array>> {
  const outputs = Object.fromEntries(
    [...pairs.keys()].map((name) => [`${name} read`, g.multiply(g.input(name, shape), 1)]),
  );
  const session = await engine.compile("reader", outputs);
  const read = await session.run(blend.feeds(pairs.keys()));
  await session.release();
  return Object.fromEntries([...pairs.keys()].map((name) => [name, read[`${name} read`]!.data as Float32Array]));
}

async function here(pairs: ReadonlyMap<string, Pair>, omega: (name: string) => number) {
  const all: Record<string, Float32Array> = {};
  for (const [name, pair] of pairs) all[name] = await blendTensor(pair, omega(name));
  return all;
}

test("it is the same bit for bit in every number type, at one omega after the other or at one for each tensor", async () => {
  const pairs = await pairsOf("all");
  const blend = blendInEngine(engine, pairs);
  const own = (name: string) => name.length / 10;
  for (const omegaOf of [() => 0.3, () => 0.7, own, () => 0.7, () => 0.1234567]) {
    await blend.move(omegaOf);
    expect(await inEngine(blend, pairs)).toEqual(await here(pairs, omegaOf));
  }
  const built = engine.sessionsBuilt;
  await blend.move(() => 0.2);
  expect(engine.sessionsBuilt).toBe(built);
});

test("an omega at which values become too large, or that is no number, is refused, and the next one is right", async () => {
  const pairs = await pairsOf("large");
  const blend = blendInEngine(engine, pairs);
  for (const before of [undefined, 0.4]) {
    if (before !== undefined) await blend.move(() => before);
    await expect(blend.move(() => 1.5)).rejects.toEqual(
      refusal("not-finite", "large of ", "large-1.safetensors", "omega 1.5"),
    );
    await expect(blend.move(() => Number.NaN)).rejects.toEqual(refusal("setting-invalid", "NaN"));
    await blend.move(() => 0.4);
    expect(await inEngine(blend, pairs)).toEqual(await here(pairs, () => 0.4));
  }
});

test("a tensor that is not finite is refused by its file", async () => {
  const pairs = await pairsOf("damaged", (all) => all.set([Number.NaN], 7));
  const moved = blendInEngine(engine, pairs).move(() => 0.5);
  await expect(moved).rejects.toEqual(refusal("not-finite", "damaged-1.safetensors"));
});
