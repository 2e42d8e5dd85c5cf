/** Open sizes, shape errors, and what is encoded. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addDims, dimKey, elementsOf, floorDivide, multiplyDims, polynomial, subtractDims } from "./dim.ts";
import * as g from "./index.ts";

describe("sizes", () => {
  /** A polynomial in h and w, with what it is at a given h and w. */
  const size: fc.Arbitrary<{ dim: g.Dim; at: (h: number, w: number) => number }> = fc.letrec((tie) => ({
    size: fc.oneof(
      { maxDepth: 4 },
      fc.integer({ min: -3, max: 6 }).map((n) => ({ dim: n, at: () => n })),
      fc.constant({ dim: g.symbol("h"), at: (h: number) => h }),
      fc.constant({ dim: g.symbol("w"), at: (_: number, w: number) => w }),
      fc.tuple(tie("size"), tie("size"), fc.constantFrom("add", "subtract", "multiply")).map(([a, b, kind]) => {
        const [x, y] = [a, b] as { dim: g.Dim; at: (h: number, w: number) => number }[];
        const combine = { add: addDims, subtract: subtractDims, multiply: multiplyDims }[kind as "add"];
        const number = {
          add: (p: number, q: number) => p + q,
          subtract: (p: number, q: number) => p - q,
          multiply: (p: number, q: number) => p * q,
        }[kind as "add"];
        return { dim: combine(x!.dim, y!.dim), at: (h: number, w: number) => number(x!.at(h, w), y!.at(h, w)) };
      }),
    ),
  })).size as never;
  /** The value of a size that knows only h and w. */
  const evaluate = (d: g.Dim, h: number, w: number): number =>
    typeof d === "number"
      ? d
      : polynomial(d).reduce(
          (sum, { coefficient, atoms }) =>
            sum + atoms.reduce((product, { key }) => product * (key === "h" ? h : w), coefficient),
          0,
        );

  test("compute as their symbols' values do", () => {
    fc.assert(
      fc.property(size, fc.nat(50), fc.nat(50), ({ dim, at }, h, w) => {
        expect(evaluate(dim, h, w)).toBe(at(h, w));
      }),
    );
  });

  test("are equal when they are the same polynomial, however they were made", () => {
    fc.assert(
      fc.property(size, size, size, (a, b, c) => {
        expect(dimKey(multiplyDims(a.dim, addDims(b.dim, c.dim)))).toBe(
          dimKey(addDims(multiplyDims(c.dim, a.dim), multiplyDims(b.dim, a.dim))),
        );
        expect(subtractDims(a.dim, a.dim)).toBe(0);
      }),
    );
  });

  test("divided down take out what divides", () => {
    const h = g.symbol("h");
    expect(g.sameDim(floorDivide(multiplyDims(h, 8), 8), h)).toBe(true);
    expect(floorDivide(17, 4)).toBe(4);
    expect(dimKey(floorDivide(addDims(multiplyDims(h, 2), 1), 2))).toBe("h");
    expect(dimKey(floorDivide(addDims(h, 1), 2))).toBe("floor((h+1)/2)");
  });

  test("are printed as a person writes them", () => {
    const [h, w] = [g.symbol("h"), g.symbol("w")];
    expect(g.showShape([2, g.symbol("batch"), addDims(multiplyDims(h, w), 3)])).toBe("[2, batch, h*w+3]");
    expect(dimKey(elementsOf([h, 4, w]))).toBe("4*h*w");
  });
});

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
    ["concat", () => g.concat([a, b], 2), /concat of \[batch, 4, 8\] and \[batch, 5, 8\]/],
    ["reshape", () => g.reshape(a, [g.symbol("batch"), 5, 8]), /reshape of \[batch, 4, 8\].*\[batch, 5, 8\]/],
    [
      "attention",
      () => g.attention(a, a, b, 2),
      /attention of \[batch, 4, 8\] and \[batch, 4, 8\] and \[batch, 5, 8\]/,
    ],
    ["attention's heads", () => g.attention(a, a, a, 3), /3 heads do not divide the width/],
    ["layer norm", () => g.layerNorm(a, g.input("s", [7]), g.input("t", [7]), 1e-5), /\[batch, 4, 8\] and \[7\]/],
    [
      "group norm",
      () => g.groupNorm(g.input("x", [1, 6, 4, 4]), 4, g.input("s", [6, 1, 1]), g.input("t", [6, 1, 1]), 1e-5),
      /\[1, 6, 4, 4\]/,
    ],
    [
      "a gradient of many numbers",
      () => g.grad(a, [a]),
      /a gradient is taken of one float32 number, not of float32 \[batch, 4, 8\]/,
    ],
    ["gather", () => g.gather(a, a), /gather of \[batch, 4, 8\] and \[batch, 4, 8\]/],
  ])("%s", (_, make, message) => {
    expect(ids.dtype).toBe("int32");
    expect(make).toThrow(g.ShapeError);
    expect(make).toThrow(message);
  });
});

describe("an encoded graph", () => {
  /** Fields of a protobuf message: numbers for varints, bytes for the rest. */
  function fields(bytes: Uint8Array): { field: number; value: number | Uint8Array }[] {
    const found: { field: number; value: number | Uint8Array }[] = [];
    let at = 0;
    const varint = () => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++]!;
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return Number(BigInt.asIntN(64, value));
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      const [field, wire] = [tag >> 3, tag & 7];
      if (wire === 0) found.push({ field, value: varint() });
      else {
        const length = wire === 5 ? 4 : varint();
        found.push({ field, value: bytes.subarray(at, at + length) });
        at += length;
      }
    }
    return found;
  }
  const all = (message: Uint8Array, field: number) =>
    fields(message).flatMap((f) => (f.field === field ? [f.value as Uint8Array] : []));
  const text = (message: Uint8Array, field: number) => new TextDecoder().decode(all(message, field)[0]);

  const ref = {
    name: "w.weight",
    file: "/models/a/unet.safetensors",
    offset: 4096,
    byteLength: 96,
    shape: [3, 8],
    dtype: "float32" as const,
  };
  const batch = g.symbol("batch");
  const encoded = g.encode({ y: g.linear(g.input("x", [batch, 4, 8]), g.parameter(ref)) });
  const graph = all(encoded.model, 7)[0]!;

  test("leaves weights where they lie: file, offset and length, no data", () => {
    const weight = all(graph, 5).find((tensor) => text(tensor, 8).startsWith("w.weight"))!;
    const external = Object.fromEntries(all(weight, 13).map((entry) => [text(entry, 1), text(entry, 2)]));
    expect(external).toEqual({ location: "models/a/unet.safetensors", offset: "4096", length: "96" });
    expect(all(weight, 9)).toEqual([]);
    expect(encoded.root).toBe("/");
  });

  test("names its inputs, its outputs and its open sizes", () => {
    const [x] = all(graph, 11);
    expect(text(x!, 1)).toBe("x");
    const shape = all(all(all(x!, 2)[0]!, 1)[0]!, 2)[0]!;
    expect(
      all(shape, 1).map((dim) =>
        fields(dim).map(({ value }) => (typeof value === "number" ? value : new TextDecoder().decode(value))),
      ),
    ).toEqual([["batch"], [4], [8]]);
    expect(all(graph, 12).map((output) => text(output, 1))).toEqual(["y"]);
    expect([...encoded.inputs.keys(), ...encoded.outputs]).toEqual(["x", "y"]);
  });

  test("holds what two results share once", () => {
    const x = g.input("x", [batch, 4, 8]);
    const shared = g.linear(x, g.parameter(ref));
    const types = all(all(g.encode({ a: g.silu(shared), b: g.add(shared, shared) }).model, 7)[0]!, 1).map((node) =>
      text(node, 4),
    );
    expect(types.filter((type) => /MatMul|Gemm/.test(type))).toHaveLength(1);
  });

  test("refuses two inputs of one name, and weights on two drives", () => {
    expect(() => g.encode({ y: g.add(g.input("x", [2]), g.input("x", [2])) })).toThrow(/two inputs are named x/);
    const far = { ...ref, file: "D:\\models\\b.safetensors" };
    expect(() => g.encode({ a: g.parameter(ref), b: g.parameter(far) })).toThrow(/two drives/);
  });
});

test("graphs are connected by the names of inputs, and sizes follow", () => {
  const inner = { y: g.matmul(g.input("x", [g.symbol("n"), 4]), g.input("w", [4, g.symbol("m")])) };
  const w = g.input("given", [4, 7]);
  const { y } = g.connect(inner, { w });
  expect(g.showShape(y!.shape)).toBe("[n, 7]");
  expect([...g.inputsOf({ y: y! }).keys()].sort()).toEqual(["given", "x"]);
});
