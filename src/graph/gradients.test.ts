/** Every operator's gradient against central finite differences, through the engine that training runs on. */

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { absentSource } from "../bytes/source.ts";
import { type Engine, float32, startEngine, type Tensor, targets } from "../runtime/index.ts";
import * as g from "./index.ts";
import { erf } from "./operators/functions.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

type Feeds = Readonly<Record<string, Tensor>>;

/** Reproducible numbers in -1..1. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  });
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A float32 tensor of numbers in low..high. */
const random = (shape: readonly number[], seed: number, low = -1, high = 1): Tensor =>
  float32(
    shape,
    numbers(size(shape), seed).map((x) => low + ((x + 1) / 2) * (high - low)),
  );

/**
 * Compares the gradient of sum(weights * y) by every float32 feed with central differences of step h.
 *
 * With h = 1e-2 in float32 the differences are accurate to about 1e-4 of the largest.
 */
async function check(y: g.Value, feeds: Feeds, h = 1e-2): Promise<void> {
  const inputs = inputsOf(y);
  const names = Object.keys(feeds).filter((name) => feeds[name]!.data instanceof Float32Array);
  const weights = g.input("weights", y.shape);
  const gradients = g.grad(
    g.sum(g.multiply(y, weights)),
    names.map((name) => inputs.get(name)!),
  );
  const forward = await engine.compile("forward", { result: y });
  const backward = await engine.compile(
    "backward",
    Object.fromEntries(names.map((n, i) => [`by ${n}`, gradients[i]!])),
  );
  const shape = (await forward.run(feeds)).result!.shape;
  const given = random(shape, 99) as { shape: readonly number[]; data: Float32Array };
  const results = await backward.run({ ...onlyThose(feeds, backward.inputs), weights: given });
  const value = async (changed: Feeds) => {
    const { data } = (await forward.run(changed)).result!;
    return given.data.reduce((total, weight, i) => total + weight * data[i]!, 0);
  };
  for (const name of names) {
    const { shape, data } = feeds[name]!;
    const differences = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const at = (by: number) =>
        value({ ...feeds, [name]: float32(shape, data.map((x, j) => (i === j ? x + by : x)) as Float32Array) });
      differences[i] = ((await at(h)) - (await at(-h))) / (2 * h);
    }
    expect(results[`by ${name}`]!.shape, name).toEqual(shape);
    const largest = Math.max(1e-2, ...differences.map(Math.abs));
    for (let i = 0; i < data.length; i++) {
      const error = Math.abs(results[`by ${name}`]!.data[i]! - differences[i]!) / largest;
      if (!(error < 3e-3)) expect([...results[`by ${name}`]!.data], `gradient by ${name}`).toEqual([...differences]);
    }
  }
  await Promise.all([forward.release(), backward.release()]);
}

const onlyThose = (feeds: Feeds, wanted: ReadonlyMap<string, unknown>): Feeds =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name)));

function inputsOf(y: g.Value): Map<string, g.Value> {
  const found = new Map<string, g.Value>();
  const visit = (value: g.Value) => {
    if (value.operator.name === "input") found.set((value.attributes as { name: string }).name, value);
    value.inputs.forEach(visit);
  };
  visit(y);
  return found;
}

const a23 = () => g.input("a", [2, 3]);
const rows = g.symbol("rows");

test.each<[string, (a: g.Value, b: g.Value) => g.Value]>([
  ["add", g.add],
  ["subtract", g.subtract],
  ["multiply", g.multiply],
  ["divide", (a, b) => g.divide(a, g.add(b, 3))],
  ["minimum", g.minimum],
  ["maximum", g.maximum],
])("the gradient of %s is right, also where operands are broadcast", async (_, operator) => {
  await check(operator(a23(), g.input("b", [2, 3])), { a: random([2, 3], 1), b: random([2, 3], 2) });
  await check(operator(a23(), g.input("b", [3])), { a: random([2, 3], 1), b: random([3], 2) });
  await check(operator(g.input("a", [2, 1]), g.input("b", [1, 3])), { a: random([2, 1], 1), b: random([1, 3], 2) });
  await check(operator(g.input("a", []), g.input("b", [rows, 2])), { a: random([], 1), b: random([3, 2], 2) });
  await check(operator(g.input("a", [rows, 1, 2]), g.input("b", [3, 1])), {
    a: random([2, 1, 2], 1),
    b: random([3, 1], 2),
  });
});

test("the gradient of a selection goes to the selected operand", async () => {
  const condition = g.less(g.constant([2, 1], [0, 2]), g.constant([], [1]));
  await check(g.select(condition, a23(), g.input("b", [3])), { a: random([2, 3], 1), b: random([3], 2) });
});

test.each<[string, (x: g.Value) => g.Value, number, number]>([
  ["exp", g.exp, -1, 1],
  ["log", g.log, 0.5, 2],
  ["sin", g.sin, -3, 3],
  ["cos", g.cos, -3, 3],
  ["square", g.square, -2, 2],
  ["sqrt", g.sqrt, 0.5, 2],
  ["sigmoid", g.sigmoid, -4, 4],
  ["tanh", g.tanh, -2, 2],
  ["erf", erf, -2, 2],
  ["silu", g.silu, -5, 5],
  ["quickGelu", g.quickGelu, -4, 4],
  ["gelu", g.gelu, -4, 4],
  ["geluTanh", g.geluTanh, -4, 4],
  ["relu", g.relu, -1, 1],
  ["negate", g.negate, -1, 1],
  ["a cube", (x) => g.power(x, 3), -1, 1],
  ["an inverse root", (x) => g.power(x, -0.5), 0.5, 2],
  ["clamp", (x) => g.clamp(x, -0.5, 0.7), -1, 1],
])("the gradient of %s is right", async (_, f, low, high) => {
  await check(f(g.input("x", [4, 5])), { x: random([4, 5], 3, low, high) });
});

test("the gradients of sums and means are right over any axes", async () => {
  const x = g.input("x", [rows, 3, 2]);
  const feeds = { x: random([2, 3, 2], 4) };
  await check(g.sum(x), feeds);
  await check(g.sum(x, [1]), feeds);
  await check(g.sum(x, [0, 2], { keep: true }), feeds);
  await check(g.mean(x), feeds);
  await check(g.mean(x, [0]), feeds);
  await check(g.mean(x, [1, 2], { keep: true }), feeds);
});

test("the gradient of expansion is a sum", async () => {
  const like = g.input("like", [rows, 3]);
  await check(g.add(g.expand(g.input("x", [3]), like), g.multiply(like, 0)), {
    x: random([3], 5),
    like: random([2, 3], 6),
  });
  await check(g.add(g.expand(g.input("x", [rows, 1]), like), like), { x: random([2, 1], 5), like: random([2, 3], 6) });
});

test("the gradients of matrix products are right", async () => {
  await check(g.matmul(g.input("a", [3, 4]), g.input("b", [4, 2])), { a: random([3, 4], 1), b: random([4, 2], 2) });
  await check(g.matmul(g.input("a", [rows, 3, 4]), g.input("b", [4, 2])), {
    a: random([2, 3, 4], 1),
    b: random([4, 2], 2),
  });
  await check(g.matmul(g.input("a", [rows, 2, 3, 4]), g.input("b", [rows, 2, 4, 5])), {
    a: random([2, 2, 3, 4], 1),
    b: random([2, 2, 4, 5], 2),
  });
  const [a, b] = [g.input("a", [rows, 2, 3, 4]), g.input("b", [rows, 2, 3, 4])];
  const feeds = { a: random([2, 2, 3, 4], 1), b: random([2, 2, 3, 4], 2) };
  await check(g.matmulInFloat32(a, b, "second"), feeds);
  await check(g.matmulInFloat32(a, b, "first"), feeds);
  await check(g.linear(g.input("x", [rows, 3, 4]), g.input("w", [5, 4]), g.input("b", [5])), {
    x: random([2, 3, 4], 1),
    w: random([5, 4], 2),
    b: random([5], 3),
  });
});

const [height, width] = [g.symbol("height"), g.symbol("width")];
test.each<[string, number, number, number, [number, number, number, number], [number, number]]>([
  ["3x3", 3, 3, 1, [1, 1, 1, 1], [4, 5]],
  ["3x3 unpadded", 3, 3, 1, [0, 0, 0, 0], [4, 5]],
  ["3x3 padded unevenly", 3, 3, 1, [0, 2, 1, 0], [4, 5]],
  ["1x1", 1, 1, 1, [0, 0, 0, 0], [3, 2]],
  ["1x1 padded", 1, 1, 1, [1, 1, 1, 1], [3, 2]],
  ["2x3", 2, 3, 1, [1, 1, 1, 1], [3, 4]],
  ["3x3 by twos, even sizes", 3, 3, 2, [1, 1, 1, 1], [4, 6]],
  ["3x3 by twos, odd sizes", 3, 3, 2, [1, 1, 1, 1], [5, 7]],
  ["3x3 by twos, padded at the end", 3, 3, 2, [0, 0, 1, 1], [6, 5]],
  ["2x2 by twos, odd sizes", 2, 2, 2, [0, 0, 0, 0], [5, 4]],
  ["2x2 by threes", 2, 2, 3, [0, 0, 0, 0], [6, 7]],
])("the gradients of a %s convolution are right", async (_, kh, kw, stride, padding, [h, w]) => {
  const feeds = { x: random([2, 2, h, w], 1), weight: random([3, 2, kh, kw], 2), bias: random([3], 3) };
  const weight = g.input("weight", [3, 2, kh, kw]);
  const bias = g.input("bias", [3]);
  const options = { stride, padding };
  await check(g.conv(g.input("x", [g.symbol("batch"), 2, height, width]), weight, bias, options), feeds);
});

test.each<[string, number, number, number, number]>([
  ["depthwise", 4, 4, 4, 3],
  ["depthwise, with two outputs per channel", 3, 6, 3, 3],
  ["grouped 1x1", 4, 6, 2, 1],
  ["grouped 3x3", 4, 6, 2, 3],
])("the gradients of a %s convolution are right", async (_, channels, out, groups, kernel) => {
  const around = (kernel - 1) / 2;
  const shape = [out, channels / groups, kernel, kernel];
  const [weight, bias] = [g.input("weight", shape), g.input("bias", [out])];
  const x = g.input("x", [g.symbol("batch"), channels, height, width]);
  const feeds = { x: random([2, channels, 3, 4], 1), weight: random(shape, 2), bias: random([out], 3) };
  await check(g.conv(x, weight, bias, { groups, padding: [around, around, around, around] }), feeds);
  await check(g.conv(x, weight, bias, { groups, stride: 2, padding: [around, around, around, around] }), feeds);
});

test("the gradients of a convolution that splits a picture of known size into patches are right", async () => {
  const feeds = { x: random([2, 2, 4, 6], 1), weight: random([3, 2, 2, 2], 2), bias: random([3], 3) };
  const [weight, bias] = [g.input("weight", [3, 2, 2, 2]), g.input("bias", [3])];
  await check(g.conv(g.input("x", [g.symbol("batch"), 2, 4, 6]), weight, bias, { stride: 2 }), feeds);
});

test("the gradient of a layer normalisation is right", async () => {
  await check(g.layerNorm(g.input("x", [rows, 2, 8]), g.input("scale", [8]), g.input("shift", [8]), 1e-3), {
    x: random([2, 2, 8], 1),
    scale: random([8], 2),
    shift: random([8], 3),
  });
});

test("the gradient of RMS normalisation is right", async () => {
  const feeds = { x: random([2, 3, 4], 1) };
  await check(g.rmsNorm(g.input("x", [rows, 3, 4]), 2, 1e-3), feeds);
  await check(g.rmsNorm(g.input("x", [rows, 3, 4]), 1, 1e-3), feeds);
});

test("the gradient of a group normalisation is right", async () => {
  const [scale, shift] = [g.input("scale", [4, 1, 1]), g.input("shift", [4, 1, 1])];
  await check(g.groupNorm(g.input("x", [rows, 4, height, width]), 2, scale, shift, 1e-3), {
    x: random([2, 4, 3, 2], 1),
    scale: random([4, 1, 1], 2),
    shift: random([4, 1, 1], 3),
  });
});

test("the gradient of a softmax is right", async () => {
  await check(g.softmax(g.input("x", [rows, 5])), { x: random([3, 5], 1, -2, 2) });
});

test("the gradients of self-attention, cross-attention and causal attention are right", async () => {
  const tokens = g.symbol("tokens");
  const batch = g.symbol("batch");
  const self = [g.input("q", [batch, tokens, 6]), g.input("k", [batch, tokens, 6]), g.input("v", [batch, tokens, 6])];
  const feeds = { q: random([2, 4, 6], 1, -2, 2), k: random([2, 4, 6], 2, -2, 2), v: random([2, 4, 6], 3) };
  await check(g.attention(self[0]!, self[1]!, self[2]!, 2), feeds);
  const bias = g.input("bias", [batch, tokens]);
  const hiding = float32([2, 4], [0, -0.5, 0.25, 0, 0, 0, -10000, -10000]);
  await check(g.attention(self[0]!, self[1]!, self[2]!, 2, { bias }), { ...feeds, bias: hiding });
  const fixed = [g.input("q", [batch, 4, 6]), g.input("k", [batch, 4, 6]), g.input("v", [batch, 4, 6])];
  await check(g.attention(fixed[0]!, fixed[1]!, fixed[2]!, 3, { causal: true }), feeds);
  await check(g.attention(g.input("q", [batch, g.symbol("pixels"), 6]), self[1]!, self[2]!, 1), {
    ...feeds,
    q: random([2, 3, 6], 4),
  });
});

test("the gradients of moved elements return to where they came from", async () => {
  const x = g.input("x", [rows, 2, 3]);
  const feeds = { x: random([2, 2, 3], 1) };
  await check(g.reshape(x, [g.multiplyDims(rows, 2), 3]), feeds);
  await check(g.transpose(x, [2, 0, 1]), feeds);
  await check(g.slice(x, 2, 1, 3), feeds);
  await check(g.slice(x, 1, 0, 1), feeds);
  await check(g.pad(x, [1, 0, 2], [0, 1, 0]), feeds);
  const y = g.input("y", [g.symbol("more"), 2, 3]);
  await check(g.concat([x, y, x], 0), { ...feeds, y: random([3, 2, 3], 2) });
  await check(g.concat([x, g.square(x)], 2), feeds);
});

test("embedding rows that are looked up twice get both gradients, the others none", async () => {
  const table = g.input("table", [g.symbol("learned tokens"), 3]);
  const ids = { shape: [2, 2], data: Int32Array.of(0, 2, 2, 3) };
  await check(g.gather(table, g.input("ids", [rows, 2], "int32")), { table: random([5, 3], 1), ids });
});

test("the gradients of pixel shuffle, and of repeated and averaged channels, are right", async () => {
  const x = g.input("x", [rows, 8, g.multiplyDims(height, 2), g.multiplyDims(width, 2)]);
  const feeds = { x: random([2, 8, 2, 4], 1) };
  await check(g.pixelShuffle(x), feeds);
  await check(g.pixelUnshuffle(x), feeds);
  await check(g.repeatChannels(x, 3), feeds);
  await check(g.averageChannels(x, 4), feeds);
});

test("the gradient of upsampling is right, doubled and to odd sizes", async () => {
  const x = g.input("x", [rows, 2, height, width]);
  const feeds = { x: random([2, 2, 2, 3], 1) };
  await check(g.upsample(x, g.multiplyDims(height, 2), g.multiplyDims(width, 2)), feeds);
  await check(g.upsample(g.input("x", [2, 2, 2, 3]), 3, 5), feeds);
  await check(g.upsample(g.input("x", [2, 2, 2, 3]), 5, 7), feeds);
  const like = g.input("like", [1, g.symbol("tall"), g.symbol("wide")]);
  await check(g.add(g.upsample(x, like.shape[1]!, like.shape[2]!), like), { ...feeds, like: random([1, 3, 6], 2) });
});

test("the gradients of the losses are right", async () => {
  const [a, b] = [g.input("a", [rows, 4]), g.input("b", [rows, 4])];
  const feeds = { a: random([2, 4], 1), b: random([2, 4], 2) };
  await check(g.meanSquaredError(a, b), feeds);
  await check(g.cosineSimilarity(a, b), feeds);
});

test("a value the loss does not depend on has a gradient of zeros", async () => {
  const [x, other] = [g.input("x", [2]), g.input("other", [rows, 3])];
  const [gx, gother] = g.grad(g.sum(g.square(x)), [x, other]) as [g.Value, g.Value];
  const session = await engine.compile("gradients", { gx, gother, used: g.add(other, 0) });
  const result = await session.run({ x: float32([2], [1, 2]), other: random([2, 3], 1) });
  expect([...result.gx!.data]).toEqual([2, 4]);
  expect(result.gother).toEqual(float32([2, 3], Array(6).fill(0)));
});

test("a gradient with respect to an intermediate value is complete", async () => {
  const x = g.input("x", [3]);
  const y = g.square(x);
  const [gx, gy] = g.grad(g.sum(g.multiply(y, y)), [x, y]) as [g.Value, g.Value];
  const session = await engine.compile("gradients", { gx, gy });
  const result = await session.run({ x: float32([3], [1, 2, 3]) });
  expect([...result.gy!.data]).toEqual([2, 8, 18]);
  expect([...result.gx!.data]).toEqual([4, 32, 108]);
});

test("a gradient is only taken of a scalar", () => {
  const x = g.input("x", [3]);
  expect(() => g.grad(x, [x])).toThrow(/one float32 number, not of float32 \[3\]/);
});

test("frozen weights get no gradient nodes", () => {
  const x = g.input("x", [1, 4, 8, 8]);
  const weight = g.parameter({
    name: "w",
    source: absentSource("/w"),
    offset: 0,
    byteLength: 576,
    shape: [4, 4, 3, 3],
    dtype: "float32",
  });
  const y = g.sum(g.conv(x, weight, undefined, { padding: [1, 1, 1, 1] }));
  const types = (wrt: g.Value) =>
    new TextDecoder("latin1").decode(g.encode({ gx: g.grad(y, [wrt])[0]! }, targets.cpu).model);
  expect(types(x)).not.toContain("MatMul");
  expect(types(weight)).toContain("MatMul");
});

/** A smooth graph of `steps`, each naming an operator and the earlier values it works on. */
function randomGraph(steps: readonly (readonly [number, number, number])[], inputs: readonly g.Value[]): g.Value {
  const values = [...inputs];
  for (const [which, i, j] of steps) {
    const [a, b] = [values[i % values.length]!, values[j % values.length]!];
    const operators = [
      () => g.add(a, b),
      () => g.subtract(a, b),
      () => g.multiply(g.tanh(a), b),
      () => g.matmul(a, g.transpose(g.softmax(b), [1, 0])),
      () => g.silu(a),
      () => g.softmax(a),
      () => g.divide(a, g.add(g.square(b), 1)),
      () => g.slice(g.concat([a, b], 1), 1, 1, 4),
      () => g.add(a, g.mean(b, [1], { keep: true })),
      () => g.recompute((x) => g.sin(g.multiply(x, b)), a),
    ];
    values.push(operators[which % operators.length]!());
  }
  return values.at(-1)!;
}

test("gradients of random graphs are right", async () => {
  const step = fc.tuple(fc.nat(9), fc.nat(20), fc.nat(20));
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 1000 }),
      async (steps, seed) => {
        const [x, y] = [g.input("x", [3, 3]), g.input("y", [3, 3])];
        const all = { x: random([3, 3], seed), y: random([3, 3], seed + 1) };
        const result = randomGraph(steps, [x, y]);
        const used = inputsOf(result);
        await check(result, onlyThose(all, used));
      },
    ),
    { numRuns: 40, seed: 7 },
  );
});
