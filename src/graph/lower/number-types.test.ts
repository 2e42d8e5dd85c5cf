/** Which number types a graph is lowered to, and where casts are. */
import { describe, expect, test } from "vitest";
import { type TypedGraph, type TypedNode, typedGraph } from "../../../test/onnx-fields.ts";
import { absentSource } from "../../bytes/source.ts";
import { targets } from "../../runtime/targets.ts";
import * as g from "../index.ts";

const half: g.Target = { ...targets.cpu, real: "float16" };
const lowered = (y: g.Value, target: g.Target = half): TypedGraph => typedGraph(g.encode({ y }, target).model);

const batch = g.symbol("batch");
const x = () => g.input("x", [batch, 4, 8]);
const weight = (shape: readonly number[], dtype: g.DType = "float32", name = "w") =>
  g.parameter({
    name,
    source: absentSource("/models/unet.safetensors"),
    offset: 0,
    byteLength: shape.reduce((a, b) => a * b, 1) * g.bytesPerElement[dtype],
    shape,
    dtype,
  });

const the = ({ nodes }: TypedGraph, type: string): TypedNode => {
  const found = nodes.filter((node) => node.type === type);
  expect(found, type).toHaveLength(1);
  return found[0]!;
};
const types = ({ nodes }: TypedGraph) => nodes.map(({ type }) => type);
/** The tensor that a tensor was cast from. */
const castFrom = ({ nodes }: TypedGraph, name: string) =>
  nodes.find(({ type, output }) => type === "Cast" && output === name)?.operands[0];

test("a graph for float32 has no casts", () => {
  const y = g.layerNorm(g.linear(x(), weight([8, 8])), weight([8]), weight([8], "float32", "b"), 1e-5);
  for (const target of Object.values(targets)) {
    expect(types(lowered(g.softmax(g.silu(g.attention(y, y, y, 2))), target))).not.toContain("Cast");
  }
});

describe("in float16", () => {
  test("inputs and outputs are still float32", () => {
    const graph = lowered(g.linear(x(), weight([8, 8])));
    expect(graph.types.get("x")).toBe("float32");
    expect(the(graph, "Identity").operands).toEqual(["float32"]);
    expect(the(graph, "FusedMatMul").operands).toEqual(["float16", "float16"]);
  });

  test("a timestep's frequencies, sine and cosine are float32", () => {
    const timestep = g.reshape(g.input("timestep", [batch]), [batch, 1, 1]);
    const angles = g.multiply(timestep, g.constant([1, 1, 2], [1, 0.0123]));
    const graph = lowered(g.linear(g.concat([g.cos(angles), g.sin(angles)], 2), weight([8, 4])));
    for (const type of ["Reshape", "Mul", "Cos", "Sin", "Concat"]) {
      expect(the(graph, type).operands[0], type).toBe("float32");
    }
    expect(the(graph, "FusedMatMul").operands).toEqual(["float16", "float16"]);
  });

  test("a weight stored in float16 is used in place, a float32 one through a cast", () => {
    const stored = lowered(g.linear(x(), weight([8, 8], "float16")));
    const name = the(stored, "FusedMatMul").inputs[1]!;
    expect(stored.initializers.has(name)).toBe(true);
    expect(stored.types.get(name)).toBe("float16");

    const wide = lowered(g.linear(x(), weight([8, 8])));
    expect(castFrom(wide, the(wide, "FusedMatMul").inputs[1]!)).toBe("float32");

    const other = lowered(g.linear(x(), weight([8, 8], "bfloat16")));
    expect(castFrom(other, the(other, "FusedMatMul").inputs[1]!)).toBe("bfloat16");
  });

  test("norms and softmax are float32 between casts, including their weights", () => {
    const normed = g.layerNorm(g.linear(x(), weight([8, 8])), weight([8], "float16"), weight([8]), 1e-5);
    const layer = lowered(g.linear(normed, weight([8, 8])));
    const norm = the(layer, "LayerNormalization");
    expect(norm.operands).toEqual(["float32", "float32", "float32"]);
    expect(norm.inputs.map((name) => castFrom(layer, name))).toEqual(["float16", "float16", undefined]);

    const picture = g.conv(g.input("p", [batch, 4, 3, 3]), weight([4, 4, 1, 1]));
    const scale = weight([4, 1, 1], "float32", "scale");
    const group = lowered(g.conv(g.silu(g.groupNorm(picture, 2, scale, scale, 1e-5)), weight([4, 4, 1, 1])));
    for (const type of ["InstanceNormalization", "Mul", "Add"]) {
      expect(new Set(the(group, type).operands), type).toEqual(new Set(["float32"]));
    }
    expect(the(group, "QuickGelu").operands).toEqual(["float16"]);

    const shares = lowered(g.matmul(g.softmax(g.matmul(x(), weight([8, 8]))), weight([8, 8])));
    expect(the(shares, "Softmax").operands).toEqual(["float32"]);
    expect(castFrom(shares, the(shares, "Softmax").inputs[0]!)).toBe("float16");
  });

  test("plain attention has its softmax in float32 and its products in float16", () => {
    const q = g.linear(x(), weight([8, 8]));
    const graph = lowered(g.attention(q, q, q, 2, { causal: true }), { ...half, fused: new Set() });
    expect(the(graph, "Softmax").operands).toEqual(["float32"]);
    const products = graph.nodes.filter(({ type }) => type === "MatMul");
    expect(products.map(({ operands }) => operands)).toEqual(Array(3).fill(["float16", "float16"]));
  });

  test("RMS normalisation, its weight and products that ask for it are float32; the rest is float16", () => {
    const y = g.matmul(x(), weight([8, 8]));
    const scaled = lowered(g.matmul(g.multiply(g.rmsNorm(y, 2, 1e-5), weight([8], "float16")), weight([8, 8])));
    for (const type of ["Mul", "ReduceMean", "Add", "Pow"]) {
      const operands = scaled.nodes.filter((node) => node.type === type).flatMap((node) => node.operands.slice(0, 1));
      expect(new Set(operands), type).toEqual(new Set(["float32"]));
    }
    const long = lowered(g.matmul(g.matmulInFloat32(g.relu(y), y, "second"), g.input("z", [batch, 4, 4])));
    expect(the(long, "Relu").operands).toEqual(["float16"]);
    expect(the(long, "FusedMatMul").operands).toEqual(["float32", "float32"]);
    expect(long.nodes.filter(({ type }) => type === "MatMul").map(({ operands }) => operands)).toEqual([
      ["float16", "float16"],
      ["float16", "float16"],
    ]);
  });

  test("if attention is not fused, a bias of keys is added to scores in float32", () => {
    const q = g.linear(x(), weight([8, 8]));
    const bias = g.input("bias", [batch, 4]);
    const graph = lowered(g.attention(q, q, q, 2, { bias }), { ...half, fused: new Set() });
    expect(the(graph, "Add").operands).toEqual(["float32", "float32"]);
  });

  test("the causal mask uses a number that float16 can represent", () => {
    const q = g.constant([1, 4, 8], new Float32Array(32));
    const bias = (target: g.Target) => {
      const graph = lowered(g.attention(q, q, q, 2, { causal: true }), target);
      return graph.initializers.get(the(graph, "MultiHeadAttention").inputs[5]!)!;
    };
    expect(new Float32Array(bias(targets.cpu).slice().buffer)[1]).toBe(-1e9);
    expect(new Uint16Array(bias(half).slice().buffer)[1]).toBe(0xf0e2); // -10,000
  });

  test("activations between products stay float16, as does an added constant", () => {
    const y = g.linear(x(), weight([8, 8]), weight([8], "float32", "bias"));
    const graph = lowered(g.matmul(g.multiply(g.add(g.gelu(y), y), 0.5), weight([8, 8])));
    for (const type of ["Gelu", "Mul"]) expect(the(graph, type).operands[0], type).toBe("float16");
    const adds = graph.nodes.filter(({ type }) => type === "Add");
    expect(adds.map(({ operands }) => operands)).toEqual(Array(2).fill(["float16", "float16"]));
    const constant = the(graph, "Mul").inputs[1]!;
    expect([...graph.initializers.get(constant)!]).toEqual([0x00, 0x38]); // 0.5, without a cast
  });

  test("a loss is float32 from the comparison with its target on", () => {
    const error = g.square(g.subtract(g.linear(x(), weight([8, 8])), g.input("target", [batch, 4, 8])));
    const graph = lowered(g.mean(error));
    for (const type of ["Sub", "Mul", "ReduceMean"]) expect(the(graph, type).operands[0], type).toBe("float32");
  });

  test("a value read twice is cast once, and one read only for its shape is not cast", () => {
    const y = x();
    const twice = lowered(g.add(g.matmul(y, weight([8, 8])), g.matmul(y, weight([8, 8], "float16", "v"))));
    expect(twice.nodes.filter(({ type, inputs }) => type === "Cast" && inputs[0] === "x")).toHaveLength(1);
    const row = g.slice(g.matmul(y, weight([8, 8], "float16")), 1, 0, 1);
    const repeated = lowered(g.matmul(g.expand(row, g.input("like", [batch, 4, 8])), weight([8, 8], "float16")));
    expect(repeated.nodes.filter(({ type, inputs }) => type === "Cast" && inputs[0] === "like")).toEqual([]);
  });
});

test("bfloat16 has the same casts, also of weights and constants", () => {
  const graphOf = (real: g.Real, dtype: g.DType) => {
    const y = g.multiply(g.linear(x(), weight([8, 8], dtype)), 0.5);
    return lowered(g.linear(g.layerNorm(y, weight([8]), weight([8]), 1e-5), weight([8, 8])), { ...targets.cpu, real });
  };
  const [bfloat16, float16] = [graphOf("bfloat16", "bfloat16"), graphOf("float16", "float16")];
  const other = (type: string) => (type === "float16" ? "bfloat16" : type);
  expect(bfloat16.nodes.map(({ type, operands, result }) => ({ type, operands, result }))).toEqual(
    float16.nodes.map(({ type, operands, result }) => ({ type, operands: operands.map(other), result: other(result) })),
  );
  expect([...bfloat16.initializers.get(the(bfloat16, "Mul").inputs[1]!)!]).toEqual([0x00, 0x3f]); // 0.5
});
