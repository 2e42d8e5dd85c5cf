/** Operators that move elements and compute nothing. */
import { addDims, type Dim, dimKey, elementsOf, type Shape, sameDim, showShape } from "../dim.ts";
import { type Emitter, reshapeTarget } from "../onnx.ts";
import { apply, mismatch, type Operator, type Value } from "../value.ts";

const reshapeOperator: Operator<{ shape: Shape }> = {
  name: "reshape",
  infer: ([x], { shape }) => {
    if (!sameDim(elementsOf(x!.shape), elementsOf(shape))) {
      mismatch("reshape", [x!], `it does not have the elements of ${showShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  emit: (to, [x], { shape }, value) => to.node("Reshape", [x!, reshapeTarget(to, value.inputs[0]!.shape, shape)]),
};

/** The same elements in row-major order under another shape. */
export const reshape = (x: Value, shape: Shape): Value => apply(reshapeOperator, [x], { shape });

const transposeOperator: Operator<{ order: readonly number[] }> = {
  name: "transpose",
  infer: ([x], { order }) => {
    if (order.length !== x!.shape.length) mismatch("transpose", [x!], `order [${order}] has another rank`);
    return { shape: order.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  emit: (to, inputs, { order }) => to.node("Transpose", inputs, { perm: order }),
};

/** Axis i of the result is axis `order[i]` of x. */
export const transpose = (x: Value, order: readonly number[]): Value => apply(transposeOperator, [x], { order });

const concatOperator: Operator<{ axis: number }> = {
  name: "concat",
  infer: (inputs, { axis }) => {
    const [first] = inputs as [Value];
    for (const v of inputs) {
      const fits =
        v.shape.length === first.shape.length && v.shape.every((d, i) => i === axis || sameDim(d, first.shape[i]!));
      if (!fits) mismatch("concat", inputs, `they differ beside axis ${axis}`);
    }
    const size = inputs.map((v) => v.shape[axis]!).reduce(addDims);
    return { shape: first.shape.map((d, i) => (i === axis ? size : d)), dtype: first.dtype };
  },
  emit: (to, inputs, { axis }) => to.node("Concat", inputs, { axis }),
};

export const concat = (values: readonly Value[], axis: number): Value => apply(concatOperator, values, { axis });

const sliceOperator: Operator<{ axis: number; from: number; to: number }> = {
  name: "slice",
  infer: ([x], { axis, from, to }) => {
    const size = x!.shape[axis];
    if (!(from >= 0 && from < to) || (typeof size === "number" && to > size)) {
      mismatch("slice", [x!], `${from} to ${to} lie outside axis ${axis}`);
    }
    return { shape: x!.shape.map((d, i): Dim => (i === axis ? to - from : d)), dtype: x!.dtype };
  },
  emit: (to: Emitter, [x], a) =>
    to.node("Slice", [x!, to.integers([a.from]), to.integers([a.to]), to.integers([a.axis])]),
};

/** Elements `from` to `to` (exclusive) along an axis. */
export const slice = (x: Value, axis: number, from: number, to: number): Value =>
  apply(sliceOperator, [x], { axis, from, to });

const gatherOperator: Operator<null> = {
  name: "gather",
  infer: (inputs) => {
    const [table, indices] = inputs as [Value, Value];
    if (indices.dtype !== "int32") mismatch("gather", inputs, `indices are ${indices.dtype}, not int32`);
    return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype };
  },
  emit: (to, inputs) => to.node("Gather", inputs, { axis: 0 }),
};

/** Rows of `table` [n, ...] picked by int32 `indices`: an embedding. */
export const gather = (table: Value, indices: Value): Value => apply(gatherOperator, [table, indices], null);

const upsampleOperator: Operator<{ height: Dim; width: Dim }> = {
  name: "upsample",
  infer: ([x], { height, width }) => {
    if (x!.shape.length !== 4) mismatch("upsample", [x!], "it is not [batch, channels, height, width]");
    return { shape: [x!.shape[0]!, x!.shape[1]!, height, width], dtype: x!.dtype };
  },
  emit: (to, [x], { height, width }, value) => {
    const nearest = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
    const from = value.inputs[0]!.shape;
    const doubled =
      dimKey(addDims(from[2]!, from[2]!)) === dimKey(height) && dimKey(addDims(from[3]!, from[3]!)) === dimKey(width);
    if (doubled) {
      const scales = to.constant("float32", [4], new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer));
      return to.node("Resize", [x!, "", scales], nearest);
    }
    return to.node("Resize", [x!, "", "", to.sizes(value.shape)], nearest);
  },
};

/** Nearest-neighbour upsampling to a given size (about twice as large), as `torch.nn.functional.interpolate`. */
export const upsample = (x: Value, height: Dim, width: Dim): Value => apply(upsampleOperator, [x], { height, width });
