/** Int8 products compared with the float32 products they replace. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromFloat32 } from "../bytes/elements.ts";
import { readSafetensors, writeSafetensors } from "../bytes/safetensors.ts";
import { type Engine, float32, rowOf, startEngine, type Tensor, targets } from "../runtime/index.ts";
import { int8Keys, quantiseWeights } from "../weights/quantise.ts";
import * as g from "./index.ts";

let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "int8-")));
  engine = await startEngine({ threads: 1, precision: "int8" });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

/** Normally distributed numbers, the same at each call. */
function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

let files = 0;
async function weight(shape: readonly number[], values?: Float32Array): Promise<g.TensorRef> {
  const name = `w${files++}`;
  const file = join(folder, `${name}.safetensors`);
  const length = shape.reduce((a, b) => a * b, 1);
  const scaled = values ?? noise(length, files).map((v) => v / Math.sqrt(length / shape[0]!));
  await writeSafetensors(file, [{ name, dtype: "float32", shape, data: fromFloat32(scaled, "float32") }]);
  return (await readSafetensors(file)).tensors.get(name)!;
}

async function inInt8(outputs: g.Outputs): Promise<g.Outputs> {
  const tensors = await quantiseWeights(
    g.int8Weights(outputs),
    join(folder, `${files++}.safetensors`),
    engine.target.int8,
  );
  return g.quantised(outputs, (ref) => {
    const { weight, scale } = int8Keys(ref);
    return { weight: tensors.get(weight)!, scale: tensors.get(scale)! };
  });
}

async function run(outputs: g.Outputs, x: Tensor): Promise<Tensor> {
  const session = await engine.compile("test", outputs);
  const { y } = await session.run({ x });
  await session.release();
  return y!;
}

const int8 = { int8: true };
const batch = g.symbol("batch");
const tokens = g.input("x", [batch, g.symbol("tokens"), 48]);
const image = (channels: number) => g.input("x", [batch, channels, g.symbol("height"), g.symbol("width")]);
const bias = (n: number) => g.constant([n], noise(n, 99));

/** Norm of the difference over the norm of the expected values. */
function relativeDifference(found: Tensor, expected: Tensor): number {
  expect(found.shape).toEqual(expected.shape);
  let [difference, size] = [0, 0];
  for (const [i, value] of expected.data.entries()) {
    difference += (found.data[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}

/** A graph with one input, and that input's shape. */
interface Case {
  readonly y: g.Value;
  readonly shape: readonly number[];
}

const convolution = async (
  kernel: number,
  options: g.ConvOptions,
  shape: readonly number[],
  of: (x: g.Value) => g.Value = (x) => x,
): Promise<Case> => {
  const [, channels] = shape as [number, number];
  const w = g.parameter(await weight([20, channels, kernel, kernel]), int8);
  return { y: g.conv(of(image(channels)), w, bias(20), options), shape };
};

const cases: Record<string, () => Promise<Case>> = {
  "a linear layer": async () => ({
    y: g.linear(tokens, g.parameter(await weight([40, 48]), int8), bias(40)),
    shape: [4, 9, 48],
  }),
  "two linear layers of one input, and one of their product": async () => {
    const [a, b] = [await weight([48, 48]), await weight([48, 48])].map((ref) =>
      g.linear(tokens, g.parameter(ref, int8)),
    );
    return { y: g.linear(g.multiply(a!, b!), g.parameter(await weight([8, 48]), int8)), shape: [4, 5, 48] };
  },
  "a convolution": () => convolution(3, { padding: [1, 1, 1, 1] }, [4, 12, 7, 5]),
  "a convolution without padding": () => convolution(3, {}, [4, 12, 7, 5]),
  "a convolution with stride 2": () => convolution(3, { stride: 2, padding: [1, 1, 1, 1] }, [4, 12, 7, 6]),
  "a convolution with uneven padding": () => convolution(3, { stride: 2, padding: [0, 0, 1, 1] }, [4, 12, 6, 7]),
  "a 1x1 convolution": () => convolution(1, {}, [4, 12, 3, 5]),
  "a convolution of SiLU's result": () => convolution(3, { padding: [1, 1, 1, 1] }, [4, 12, 6, 6], g.silu),
};

describe.each(Object.entries(cases))("%s", (_, make) => {
  test("equals float32's, up to rounding to eight bits", async () => {
    const { y, shape } = await make();
    const x = float32(shape, noise(shape.reduce((a, b) => a * b, 1)));
    // The largest of n normal numbers is near sqrt(2 ln n), 2.8 to 3.7 here, and a step is 1/127 of it; the rounding error is
    // step / sqrt(12), 0.006 to 0.008 of the deviation, the same for the weights, and again for each consecutive product. Where
    // products of eight bits saturate, weights have one bit less.
    const most = (0.02 * 127) / engine.target.int8;
    expect(relativeDifference(await run(await inInt8({ y }), x), await run({ y }, x))).toBeLessThan(most);
  });

  test("gives the same for a batch of four as for four single rows, bit for bit, however different their magnitudes", async () => {
    const { y, shape } = await make();
    const numbers = noise(shape.reduce((a, b) => a * b, 1));
    const row = numbers.length / 4;
    const x = float32(
      shape,
      numbers.map((v, i) => v * 10 ** Math.floor(i / row)),
    );
    const outputs = await inInt8({ y });
    const four = await run(outputs, x);
    for (let i = 0; i < 4; i++) expect(rowOf(four, i)).toEqual(await run(outputs, rowOf(x, i)));
  });
});

describe("quantised values", () => {
  /** x [rows, 16] after quantisation, by a product with the identity, stored as 127 times a scale of 1/127. */
  const rounded = async (values: Float32Array): Promise<Float32Array> => {
    const one = Float32Array.from({ length: 256 }, (_, i) => Number(i % 17 === 0));
    const x = g.input("x", [g.symbol("rows"), 16]);
    const outputs = await inInt8({ y: g.linear(x, g.parameter(await weight([16, 16], one), int8)) });
    return (await run(outputs, float32([values.length / 16, 16], values))).data as Float32Array;
  };

  test("are off by at most half a step, 1/127 of the row's largest value or 1/128 of its smallest", async () => {
    const values = noise(16 * 200).map((v, i) => v * 10 ** ((Math.floor(i / 16) % 9) - 4));
    const found = await rounded(values);
    for (let row = 0; row < values.length; row += 16) {
      const its = values.subarray(row, row + 16);
      const step = Math.max(Math.max(...its) / 127, Math.min(...its) / -128);
      // Three float32 roundings besides the one to eight bits.
      for (let i = 0; i < 16; i++) expect(Math.abs(found[row + i]! - its[i]!)).toBeLessThan(step * 0.5001);
    }
  });

  test("represent 0 exactly, also in rows of zeros", async () => {
    const values = new Float32Array(48);
    values.set([3, 0, -5], 16);
    const found = await rounded(values);
    expect([...found.subarray(0, 16)]).toEqual(Array(16).fill(0));
    expect(found[17]).toBe(0);
    expect([...found.subarray(32)]).toEqual(Array(16).fill(0));
  });

  test("do not change when quantised again", async () => {
    const once = await rounded(noise(16 * 50));
    const twice = await rounded(once);
    // The same step results, up to float32 rounding.
    for (const [i, value] of once.entries()) expect(twice[i]).toBeCloseTo(value, 5);
  });
});

test("a graph without weights that may be int8 stays the same", async () => {
  const y = g.linear(tokens, g.parameter(await weight([8, 48])));
  expect(g.int8Weights({ y })).toEqual([]);
  expect(g.quantised({ y }, () => expect.unreachable()).y).toBe(y);
});

test("a 1x1 convolution has a scale per pixel: a large pixel costs the others no precision", async () => {
  const w = g.parameter(await weight([12, 12, 1, 1]), int8);
  const { y } = await inInt8({ y: g.conv(image(12), w) });
  const values = noise(12 * 6);
  const large = values.map((v, i) => (i % 6 === 2 ? v * 1000 : v)); // the third pixel of six
  const others = ({ data }: Tensor) => [...data].filter((_, i) => i % 6 !== 2);
  const [found, expected] = [
    await run({ y: y! }, float32([1, 12, 2, 3], large)),
    await run({ y: y! }, float32([1, 12, 2, 3], values)),
  ];
  expect(others(found)).toEqual(others(expected));
});

test("a grouped convolution is not quantised", async () => {
  const w = g.parameter(await weight([12, 1, 3, 3]), int8);
  const y = g.conv(image(12), w, undefined, { groups: 12 });
  expect(g.quantised({ y }, () => expect.unreachable()).y).toBe(y);
});

test("a weight that may be int8 gives the same bytes as float32 for a target without int8", async () => {
  const ref = await weight([8, 48]);
  const model = (options: { int8?: boolean }) =>
    g.encode({ y: g.linear(tokens, g.parameter(ref, options)) }, targets.cpu).model;
  expect(model(int8)).toEqual(model({}));
});

test("what products of one input share is computed once", async () => {
  const [a, b] = [await weight([8, 48]), await weight([8, 48])].map((ref) => g.linear(tokens, g.parameter(ref, int8)));
  const { model } = g.encode(await inInt8({ y: g.add(a!, b!) }), targets.cpu);
  const count = (word: string) => Buffer.from(model).toString("latin1").split(word).length - 1;
  // A node's output, its name and its type, and where they are read.
  expect(count("MatMulIntegerToFloat")).toBeGreaterThan(count("QuantizeLinear"));
});

test("has no gradients", async () => {
  const y = g.mean(g.linear(tokens, g.parameter(await weight([8, 48]), int8)));
  const outputs = await inInt8({ y });
  expect(() => g.grad(outputs.y!, [tokens])).toThrow(g.ShapeError);
});
