import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFloat32, readSafetensors } from "../src/index.ts";
import { type Engine, float32, startEngine, type Tensor } from "../src/runtime/index.ts";
import { newAdamWState } from "../src/training/optimise/adamw.ts";
import { dataOf } from "../src/training/optimise/tensor-values.ts";
import { relativeError } from "../test/fixtures.ts";
import { compileMuon } from "./muon.ts";

const options = { learningRate: 1e-2, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 1e-2 } as const;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

test("matches torch.optim.Muon for three steps on wide, tall and square matrices, within 1e-5", async () => {
  const { tensors } = await readSafetensors(fileURLToPath(new URL("fixtures/muon.safetensors", import.meta.url)));
  const tensor = async (name: string) => {
    const ref = tensors.get(name)!;
    return float32(ref.shape, await readFloat32(ref));
  };
  const names = ["wide", "tall", "square"];
  const values = new Map<string, Tensor>();
  for (const name of names) values.set(name, await tensor(`initial ${name}`));
  const update = await compileMuon(engine, values, names);
  const flat = dataOf(values);
  const state = newAdamWState(flat);
  for (let step = 0; step < 3; step++) {
    const gradients = new Map<string, Float32Array>();
    for (const name of names) gradients.set(name, (await tensor(`gradient ${step} ${name}`)).data as Float32Array);
    await update(flat, gradients, state, options);
  }
  expect(state.steps).toBe(3);
  for (const name of names) {
    expect(relativeError(values.get(name)!, await tensor(`final ${name}`)), name).toBeLessThan(1e-5);
  }
});

test("a convolution is a matrix with a row per output; other tensors use AdamW; zero gradients change nothing", async () => {
  const kernel = float32([2, 3, 3, 3], new Float32Array(54).fill(1));
  const bias = float32([2], new Float32Array([1, 1]));
  const values = new Map<string, Tensor>([
    ["kernel", kernel],
    ["bias", bias],
  ]);
  const update = await compileMuon(engine, values, ["kernel"]);
  const state = newAdamWState(dataOf(values));
  const gradients = new Map([
    ["kernel", new Float32Array(54)],
    ["bias", new Float32Array([2, -2])],
  ]);
  await update(dataOf(values), gradients, state, { ...options, weightDecay: 0 });
  expect([...kernel.data]).toEqual(Array(54).fill(1));
  expect(bias.data[0]).toBeCloseTo(0.99, 6);
  expect(bias.data[1]).toBeCloseTo(1.01, 6);

  // Rows that are already orthogonal keep their direction and become closer in length: 10 to 1 before.
  gradients.get("kernel")!.set([5]);
  gradients.get("kernel")!.set([0.5], 27 + 1);
  await update(dataOf(values), gradients, state, { ...options, weightDecay: 0 });
  expect([...kernel.data].flatMap((value, i) => (value === 1 ? [] : [i]))).toEqual([0, 28]);
  expect(kernel.data[0]).toBeLessThan(1);
  expect((1 - kernel.data[28]!) / (1 - kernel.data[0]!)).toBeGreaterThan(0.5);
});
