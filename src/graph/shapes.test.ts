/** Shape errors, and the encoded graph. */

import { describe, expect, test } from "vitest";
import { all, fields, text } from "../../test/onnx-fields.ts";
import { absentSource } from "../bytes/source.ts";
import { targets } from "../runtime/targets.ts";
import * as g from "./index.ts";

describe("a mismatch names the operator and both shapes:", () => {
  const a = g.input("a", [g.symbol("batch"), 4, 8]);
  const b = g.input("b", [g.symbol("batch"), 5, 8]);
  const ids = g.input("ids", [2], "int32");
  test.each<[string, () => unknown, RegExp]>([
    ["add", () => g.add(a, b), /add of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["matmul", () => g.matmul(a, b), /matmul of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    [
      "linear",
      () => g.linear(a, g.input("w", [3, 7]), undefined),
      /of \[batch, 4, 8\] and \[3, 7\]: the inner sizes differ/,
    ],
    [
      "conv",
      () => g.conv(g.input("x", [1, 3, 8, 8]), g.input("w", [4, 5, 3, 3])),
      /conv of \[1, 3, 8, 8\] and \[4, 5, 3, 3\]/,
    ],
    [
      "conv in groups",
      () => g.conv(g.input("x", [1, 4, 8, 8]), g.input("w", [6, 1, 3, 3]), undefined, { groups: 2 }),
      /conv of \[1, 4, 8, 8\] and \[6, 1, 3, 3\]: 2 groups do not fit the channels/,
    ],
    [
      "conv whose outputs do not divide into its groups",
      () => g.conv(g.input("x", [1, 4, 8, 8]), g.input("w", [5, 2, 3, 3]), undefined, { groups: 2 }),
      /\[5, 2, 3, 3\]: 2 groups do not fit the channels/,
    ],
    ["concat", () => g.concat([a, b], 2), /concat of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["reshape", () => g.reshape(a, [g.symbol("batch"), 5, 8]), /reshape of \[batch, 4, 8\].*\[batch, 5, 8\]/],
    [
      "attention",
      () => g.attention(a, a, b, 2),
      /attention of \[batch, 4, 8\] and \[batch, 4, 8\] and \[batch, 5, 8\]/,
    ],
    [
      "attention with a bias",
      () => g.attention(a, b, b, 2, { bias: g.input("bias", [g.symbol("batch"), 4]) }),
      /\[batch, 5, 8\] and \[batch, 4\]: the bias is not one number for each key/,
    ],
    [
      "attention that is causal and has a bias",
      () => g.attention(a, a, a, 2, { causal: true, bias: g.input("bias", [g.symbol("batch"), 4]) }),
      /it cannot be causal and have a bias/,
    ],
    ["attention's heads", () => g.attention(a, a, a, 3), /3 heads do not divide the width/],
    ["layer norm", () => g.layerNorm(a, g.input("s", [7]), g.input("t", [7]), 1e-5), /\[batch, 4, 8\] and \[7\]/],
    [
      "group norm",
      () => g.groupNorm(g.input("x", [1, 6, 4, 4]), 4, g.input("s", [6, 1, 1]), g.input("t", [6, 1, 1]), 1e-5),
      /\[1, 6, 4, 4\]/,
    ],
    [
      "a gradient of a tensor",
      () => g.grad(a, [a]),
      /a gradient is taken of one float32 number, not of float32 \[batch, 4, 8\]/,
    ],
    ["gather", () => g.gather(a, a), /gather of \[batch, 4, 8\] and \[batch, 4, 8\]: indices are float32/],
    ["subtract", () => g.subtract(a, b), /subtract of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["multiply", () => g.multiply(a, b), /multiply of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["divide", () => g.divide(a, b), /divide of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["minimum", () => g.minimum(a, b), /minimum of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["maximum", () => g.maximum(a, b), /maximum of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["less", () => g.less(a, b), /less of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["select", () => g.select(g.less(a, a), a, b), /select of \[batch, 4, 8\].* and \[batch, 5, 8\]/],
    ["two element types", () => g.add(a, ids), /add of \[batch, 4, 8\] and \[2\]: float32 with int32/],
    [
      "an open size and a number",
      () => g.add(a, g.input("c", [3, 4, 8])),
      /add of \[batch, 4, 8\] and \[3, 4, 8\]: axis 0 cannot be broadcast/,
    ],
    ["expand", () => g.expand(a, b), /expand of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["transpose", () => g.transpose(a, [1, 0]), /transpose of \[batch, 4, 8\]: order \[1,0\] has another rank/],
    ["slice", () => g.slice(a, 1, 2, 5), /slice of \[batch, 4, 8\]: 2 to 5 lie outside axis 1/],
    ["an empty slice", () => g.slice(a, 1, 2, 2), /slice of \[batch, 4, 8\]: 2 to 2/],
    ["sum", () => g.sum(a, [3]), /sum of \[batch, 4, 8\]: axes \[3\] lie outside it/],
    ["mean", () => g.mean(a, [-1]), /mean of \[batch, 4, 8\]: axes \[-1\] lie outside it/],
    ["upsample", () => g.upsample(a, 8, 16), /upsample of \[batch, 4, 8\]: it is not \[batch, channels/],
    ["conv's axes", () => g.conv(a, g.input("w", [4, 4, 3, 3])), /conv of \[batch, 4, 8\] and \[4, 4, 3, 3\]/],
    [
      "attention's values",
      () => g.attention(a, b, g.input("v", [g.symbol("batch"), 6, 8]), 2),
      /attention of \[batch, 4, 8\] and \[batch, 5, 8\] and \[batch, 6, 8\]: keys and values do not fit/,
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(g.ShapeError);
    expect(make).toThrow(message);
  });
});

describe("an encoded graph", () => {
  const ref = {
    name: "w.weight",
    source: absentSource("/models/a/unet.safetensors"),
    offset: 4096,
    byteLength: 96,
    shape: [3, 8],
    dtype: "float32" as const,
  };
  const batch = g.symbol("batch");
  const encode = (outputs: g.Outputs, target: g.Target = targets.cpu) => g.encode(outputs, target);
  const encoded = encode({ y: g.linear(g.input("x", [batch, 4, 8]), g.parameter(ref)) });
  const graph = all(encoded.model, 7)[0]!;

  test("refers to weights by file, offset and length, without their data", () => {
    const weight = all(graph, 5).find((tensor) => text(tensor, 8).startsWith("w.weight"))!;
    const external = Object.fromEntries(all(weight, 13).map((entry) => [text(entry, 1), text(entry, 2)]));
    expect(external).toEqual({ location: "models/a/unet.safetensors", offset: "4096", length: "96" });
    expect(all(weight, 9)).toEqual([]);
    expect(encoded.root).toBe("/");
  });

  test("takes rows of a weight from their offset in the file", () => {
    const part = encode({ y: g.linear(g.input("x", [batch, 8]), g.parameter(g.rows(ref, 1, 3))) });
    const [weight] = all(all(part.model, 7)[0]!, 5).filter((tensor) => text(tensor, 8).startsWith("w.weight"));
    const external = Object.fromEntries(all(weight!, 13).map((entry) => [text(entry, 1), text(entry, 2)]));
    // 8 float32 per row: row 1 begins 32 bytes in, two rows are 64 bytes.
    expect(external).toMatchObject({ offset: "4128", length: "64" });
    expect(fields(weight!).flatMap(({ field, value }) => (field === 1 ? [value] : []))).toEqual([2, 8]);
  });

  test("refers once to a weight that is used twice", () => {
    const tied = encode({ y: g.add(g.parameter(ref), g.parameter(ref)) });
    const named = all(all(tied.model, 7)[0]!, 5).filter((tensor) => text(tensor, 8).startsWith("w.weight"));
    expect(named).toHaveLength(1);
  });

  test("uses fused attention and transposed products if the provider has the kernel, else plain operators", () => {
    const [q, k] = [g.input("q", [batch, g.symbol("tokens"), 8]), g.input("k", [batch, 5, 8])];
    const y = g.linear(g.attention(q, k, k, 2), g.parameter(ref));
    const types = (target: g.Target) =>
      all(all(encode({ y }, target).model, 7)[0]!, 1)
        .map((node) => text(node, 4))
        .filter((type) => /MatMul|Softmax|Attention/.test(type));
    for (const target of [targets.cpu, targets.cuda, targets.dml]) {
      expect(types(target)).toEqual(["MultiHeadAttention", "FusedMatMul"]);
    }
    for (const target of [targets.webgpu, targets.coreml]) {
      expect(types(target)).toEqual(["MultiHeadAttention", "MatMul"]);
    }
    const plain = { ...targets.webgpu, fused: new Set<g.Fused>() };
    expect(types(plain)).toEqual(["MatMul", "Softmax", "MatMul", "MatMul"]);
  });

  test("leaves large weights in place only if files are mapped", () => {
    const weight = g.parameter({ ...ref, shape: [4, 2, 3, 1] }, { inPlace: true });
    const y = g.conv(g.input("x", [batch, 2, 8, 8]), weight);
    const inputs = (target: g.Target) => all(all(encode({ y }, target).model, 7)[0]!, 11).map((of) => text(of, 1));
    expect(inputs(targets.cpu)).toEqual(["x", expect.stringMatching(/^w\.weight/)]);
    expect(inputs(targets.cuda)).toEqual(["x"]);
  });

  test("names its inputs and outputs", () => {
    expect(all(graph, 11).map((input) => text(input, 1))).toEqual(["x"]);
    expect(all(graph, 12).map((output) => text(output, 1))).toEqual(["y"]);
    expect([...encoded.inputs.keys(), ...encoded.outputs.keys()]).toEqual(["x", "y"]);
  });

  test("names open sizes, but not to a runtime that would plan buffers by them", () => {
    const outputs = { y: g.add(g.input("x", [batch, 4]), g.input("z", [1, 4])) };
    const shapes = (target: g.Target) =>
      all(all(encode(outputs, target).model, 7)[0]!, 11).map((input) =>
        all(all(all(input, 2)[0]!, 1)[0]!, 2).map((shape) =>
          all(shape, 1).map((dim) =>
            fields(dim).map(({ value }) => (typeof value === "number" ? value : new TextDecoder().decode(value))),
          ),
        ),
      );
    expect(shapes(targets.cuda)).toEqual([[[["batch"], [4]]], [[[1], [4]]]]);
    expect(shapes(targets.cpu)).toEqual([[], [[[1], [4]]]]);
  });

  test("contains values shared by two results once", () => {
    const x = g.input("x", [batch, 4, 8]);
    const shared = g.linear(x, g.parameter(ref));
    const types = all(all(encode({ a: g.silu(shared), b: g.add(shared, shared) }).model, 7)[0]!, 1).map((node) =>
      text(node, 4),
    );
    expect(types.filter((type) => /MatMul|Gemm/.test(type))).toHaveLength(1);
  });

  test("refuses two inputs of one name, and weights on two drives", () => {
    expect(() => encode({ y: g.add(g.input("x", [2]), g.input("x", [2])) })).toThrow(/two inputs are named x/);
    const far = { ...ref, source: absentSource("D:\\models\\b.safetensors") };
    expect(() => encode({ a: g.parameter(ref), b: g.parameter(far) })).toThrow(/two drives/);
  });
});

test("graphs are connected by input names, and sizes follow", () => {
  const inner = { y: g.matmul(g.input("x", [g.symbol("n"), 4]), g.input("w", [4, g.symbol("m")])) };
  const w = g.input("given", [4, 7]);
  const { y } = g.connect(inner, { w });
  expect(g.showShape(y!.shape)).toBe("[n, 7]");
  expect([...g.inputsOf({ y: y! }).keys()].sort()).toEqual(["given", "x"]);
});
