/** Operators that only move elements. */
import { addDims, type Dim, dimKey, elementsOf, type Shape, sameDim, showShape, subtractDims } from "../dim.ts";
import type { Emitter } from "../emitter.ts";
import { apply, mismatch, type Operator, ShapeError, type Value } from "../value.ts";

const reshapeOperator: Operator<{ shape: Shape }> = {
  name: "reshape",
  computes: "asInputs",
  infer: ([x], { shape }) => {
    if (!sameDim(elementsOf(x!.shape), elementsOf(shape))) {
      mismatch("reshape", [x!], `it does not have the elements of ${showShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  emit: (to, [x], { shape }, value) => to.node("Reshape", [x!, reshapeTarget(to, value.inputs[0]!.shape, shape)]),
  gradient: ({ g, inputs: [x] }) => [reshape(g, x!.shape)],
};

/** A reshape target for ONNX: sizes, 0 for "as the input's axis", -1 for one inferred size. */
function reshapeTarget(to: Emitter, from: Shape, shape: Shape): string {
  const plain: number[] = [];
  let inferred = false;
  for (const [axis, d] of shape.entries()) {
    const source: Dim | undefined = from[axis];
    if (typeof d === "number") {
      if (d === 0) return to.sizes(shape);
      plain.push(d);
    } else if (source !== undefined && dimKey(source) === d.key) plain.push(0);
    else if (!inferred) {
      inferred = true;
      plain.push(-1);
    } else {
      return dynamicTarget(to, from, shape);
    }
  }
  return to.integers(plain);
}

/** For two or more open sizes that moved: reads them at run time. */
function dynamicTarget(to: Emitter, from: Shape, shape: Shape): string {
  try {
    return to.sizes(shape);
  } catch (error) {
    throw new ShapeError(`reshape of ${showShape(from)} to ${showShape(shape)}: ${(error as Error).message}`);
  }
}

/** The same elements, in row-major order, in another shape. */
export const reshape = (x: Value, shape: Shape): Value => apply(reshapeOperator, [x], { shape });

const transposeOperator: Operator<{ order: readonly number[] }> = {
  name: "transpose",
  computes: "asInputs",
  infer: ([x], { order }) => {
    if (order.length !== x!.shape.length) mismatch("transpose", [x!], `order [${order}] has another rank`);
    return { shape: order.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  emit: (to, inputs, { order }) => to.node("Transpose", inputs, { perm: order }),
  gradient: ({ g, attributes: { order } }) => [
    transpose(
      g,
      [...order.keys()].map((axis) => order.indexOf(axis)),
    ),
  ],
};

/** Axis i of the result is axis `order[i]` of x. */
export const transpose = (x: Value, order: readonly number[]): Value => apply(transposeOperator, [x], { order });

const concatOperator: Operator<{ axis: number }> = {
  name: "concat",
  computes: "asInputs",
  infer: (inputs, { axis }) => {
    const [first] = inputs as [Value];
    for (const v of inputs) {
      const fits =
        v.shape.length === first.shape.length && v.shape.every((d, i) => i === axis || sameDim(d, first.shape[i]!));
      if (!fits) mismatch("concat", inputs, `they differ in other axes than ${axis}`);
    }
    const size = inputs.map((v) => v.shape[axis]!).reduce(addDims);
    return { shape: first.shape.map((d, i) => (i === axis ? size : d)), dtype: first.dtype };
  },
  emit: (to, inputs, { axis }) => to.node("Concat", inputs, { axis }),
  gradient: ({ g, inputs, attributes: { axis } }) => {
    let from: Dim = 0;
    return inputs.map((v) => {
      const to = addDims(from, v.shape[axis]!);
      const part = slice(g, axis, from, to);
      from = to;
      return part;
    });
  },
};

export const concat = (values: readonly Value[], axis: number): Value => apply(concatOperator, values, { axis });

const sliceOperator: Operator<{ axis: number; from: Dim; to: Dim }> = {
  name: "slice",
  computes: "asInputs",
  infer: ([x], { axis, from, to }) => {
    const size = x!.shape[axis];
    const length = subtractDims(to, from);
    const outside = (d: Dim | undefined) => typeof d === "number" && d < 0;
    if (size === undefined || length === 0 || [from, length, subtractDims(size, to)].some(outside)) {
      mismatch("slice", [x!], `${dimKey(from)} to ${dimKey(to)} lie outside axis ${axis}`);
    }
    return { shape: x!.shape.map((d, i): Dim => (i === axis ? length : d)), dtype: x!.dtype };
  },
  emit: (to, [x], a) => to.node("Slice", [x!, to.sizes([a.from]), to.sizes([a.to]), to.integers([a.axis])]),
  gradient: ({ g, inputs: [x], attributes: { axis, from, to } }) => {
    const at = (d: Dim) => x!.shape.map((_, i): Dim => (i === axis ? d : 0));
    return [pad(g, at(from), at(subtractDims(x!.shape[axis]!, to)))];
  },
};

/** Elements `from` to `to` (exclusive) along an axis. */
export const slice = (x: Value, axis: number, from: Dim, to: Dim): Value =>
  apply(sliceOperator, [x], { axis, from, to });

const padOperator: Operator<{ before: Shape; after: Shape }> = {
  name: "pad",
  computes: "asInputs",
  infer: ([x], { before, after }) => ({
    shape: x!.shape.map((d, i) => addDims(addDims(before[i]!, d), after[i]!)),
    dtype: x!.dtype,
  }),
  emit: (to, [x], { before, after }) => to.node("Pad", [x!, to.sizes([...before, ...after])]),
  gradient: ({ g, inputs: [x], attributes: { before } }) => [
    x!.shape.reduce(
      (part, d, axis) => (d === part.shape[axis] ? part : slice(part, axis, before[axis]!, addDims(before[axis]!, d))),
      g,
    ),
  ],
};

/** x padded with zeros: `before` and `after` give their number along every axis. */
export const pad = (x: Value, before: Shape, after: Shape): Value =>
  [...before, ...after].every((d) => d === 0) ? x : apply(padOperator, [x], { before, after });
