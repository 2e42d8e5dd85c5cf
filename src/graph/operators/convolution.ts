/** 2-D convolution. */
import { addDims, type Dim, floorDivide, multiplyDims, type Shape, sameDim } from "../dim.ts";
import { apply, mismatch, noSecondDerivative, type Operator, type Value } from "../value.ts";
import { concat, pad, reshape, transpose } from "./layout.ts";
import { liesInPlace } from "./leaves.ts";
import { matmulOf } from "./products.ts";
import { sum } from "./reductions.ts";

export interface ConvOptions {
  readonly stride?: number;
  /** Zero padding at top, left, bottom, right, in pixels. */
  readonly padding?: readonly [number, number, number, number];
  /** Number of channel groups convolved separately; a depthwise convolution has one per channel. */
  readonly groups?: number;
}

const convOperator: Operator<Required<ConvOptions>> = {
  name: "conv",
  computes: "real",
  infer: (inputs, { stride, padding, groups }) => {
    const [x, weight] = inputs as [Value, Value];
    const [batch, channels, height, width] = x.shape;
    const [out, inner, kh, kw] = weight.shape;
    if (x.shape.length !== 4 || weight.shape.length !== 4) mismatch("conv", inputs, "both must have four axes");
    if (!sameDim(channels!, multiplyDims(inner!, groups)) || (groups > 1 && (out as number) % groups !== 0)) {
      mismatch("conv", inputs, groups > 1 ? `${groups} groups do not fit the channels` : "the channel counts differ");
    }
    const size = (d: Dim, kernel: Dim, pads: number): Dim =>
      addDims(floorDivide(addDims(d, pads - (kernel as number)), stride), 1);
    const shape: Shape = [
      batch!,
      out!,
      size(height!, kh!, padding[0] + padding[2]),
      size(width!, kw!, padding[1] + padding[3]),
    ];
    return { shape, dtype: x.dtype };
  },
  emit: (to, inputs, { stride, padding, groups }) =>
    to.node("Conv", inputs, { strides: [stride, stride], pads: padding, ...groupAttribute(groups) }),
  gradient: ({ g, inputs, attributes, wanted }) => {
    const [x, weight] = inputs as [Value, Value];
    return [
      wanted[0] ? inputGradient(g, x, weight, attributes) : undefined,
      wanted[1] ? weightGradient(g, x, weight, attributes) : undefined,
      wanted[2] ? sum(g, [0, 2, 3]) : undefined,
    ];
  },
};

const groupAttribute = (groups: number) => (groups === 1 ? {} : { group: groups });

/** 2-D convolution of x [batch, in, h, w] with weight [out, in / groups, kh, kw] and bias [out]. */
export function conv(x: Value, weight: Value, bias?: Value, options: ConvOptions = {}): Value {
  const { stride = 1, padding = [0, 0, 0, 0], groups = 1 } = options;
  return apply(convOperator, bias ? [x, weight, bias] : [x, weight], { stride, padding, groups });
}

/**
 * d loss / d x: every pixel of g contributes to the pixels of x it was computed from.
 *
 * At stride 1 this is a convolution with the kernel flipped and its channels swapped, unless the weight is used in place and
 * must not be copied, or the kernel is 1x1 and needs no copy.
 */
function inputGradient(g: Value, x: Value, weight: Value, { stride, padding, groups }: Required<ConvOptions>): Value {
  const [kh, kw] = weight.shape.slice(2) as [number, number];
  const [top, left, bottom, right] = padding;
  const turned = [kh - 1 - top, kw - 1 - left, kh - 1 - bottom, kw - 1 - right] as const;
  if (stride === 1 && kh * kw > 1 && turned.every((n) => n >= 0) && !liesInPlace(weight)) {
    return conv(g, apply(turnedOperator, [weight], { groups }), undefined, { padding: turned, groups });
  }
  return apply(spreadOperator, [g, weight, x], { stride, padding, groups });
}

const turnedOperator: Operator<{ groups: number }> = {
  name: "turned",
  computes: "asInputs",
  infer: ([weight], { groups }) => {
    const [out, inner, kh, kw] = weight!.shape as [Dim, Dim, Dim, Dim];
    const [rows, columns] = groups === 1 ? [inner, out] : [multiplyDims(inner, groups), (out as number) / groups];
    return { shape: [rows, columns, kh, kw], dtype: weight!.dtype };
  },
  emit: (to, [weight], { groups }, value) => {
    const [kh, kw] = value.shape.slice(2);
    const ends = to.integers([-(2 ** 31), -(2 ** 31)]);
    const axes = [to.integers([2, 3]), to.integers([-1, -1])];
    const flipped = to.node("Slice", [weight!, to.integers([-1, -1]), ends, ...axes]);
    if (groups === 1) return to.node("Transpose", [flipped], { perm: [1, 0, 2, 3] });
    const [rows, columns] = value.shape as [number, number];
    if (columns === 1 && rows === groups) return flipped;
    const parts = to.node("Reshape", [
      flipped,
      to.integers([groups, columns, rows / groups, kh as number, kw as number]),
    ]);
    return to.node("Reshape", [
      to.node("Transpose", [parts], { perm: [0, 2, 1, 3, 4] }),
      to.integers([rows, columns, kh as number, kw as number]),
    ]);
  },
  gradient: noSecondDerivative("turned"),
};

const spreadOperator: Operator<Required<ConvOptions>> = {
  name: "spread",
  computes: "real",
  reads: 2,
  infer: ([, , like]) => ({ shape: like!.shape, dtype: like!.dtype }),
  emit: (to, [g, weight], { stride, padding, groups }, value) => {
    // The stride may have skipped pixels at the end, how many is known only at run time: output the most there can be.
    const [top, left, bottom, right] = padding;
    const extra = [Math.max(0, stride - 1 - bottom), Math.max(0, stride - 1 - right)];
    const full = to.node("ConvTranspose", [g!, weight!], {
      strides: [stride, stride],
      pads: [top, left, stride === 1 ? bottom : 0, stride === 1 ? right : 0],
      output_padding: stride === 1 ? [0, 0] : extra,
      ...groupAttribute(groups),
    });
    if (stride === 1) return full;
    return to.node("Slice", [full, to.integers([0, 0]), to.sizes(value.shape.slice(2)), to.integers([2, 3])]);
  },
  gradient: noSecondDerivative("spread"),
};

/** With at least this many weights per kernel position, one product for the whole batch is fastest; else one per picture. */
const wide = 4096;

/** d loss / d weight: for each kernel position, the product of g and the part of x under that position. */
function weightGradient(g: Value, x: Value, weight: Value, options: Required<ConvOptions>): Value {
  const { stride, padding, groups } = options;
  const [out, inner, kh, kw] = weight.shape as [number, number, number, number];
  const [batch, , height, width] = g.shape as [Dim, Dim, Dim, Dim];
  if (groups === 1 && cutsUp(x, weight, options)) return cutWeightGradient(g, x, weight);
  const pixels = multiplyDims(height, width);
  const together = groups === 1 && out * inner >= wide;
  const turned = (value: Value) => (together ? transpose(value, [1, 0, 2, 3]) : value);
  // [channels, batch * pixels] or [batch, groups, channels per group, pixels]
  const flattened = (value: Value, channels: number) =>
    reshape(value, together ? [channels, multiplyDims(batch, pixels)] : [batch, groups, channels, pixels]);

  const [top, left, bottom, right] = padding;
  const seen = turned(g);
  const padded = pad(turned(x), [0, 0, top, left], [0, 0, bottom, right]);
  const places = Array.from({ length: kh * kw }, (_, i) => {
    const under = apply(windowOperator, [padded, seen], { row: Math.floor(i / kw), column: i % kw, stride });
    // [out, in] or [batch, groups, out / groups, in / groups]
    const product = matmulOf(flattened(seen, out / groups), flattened(under, inner), "second");
    return reshape(together ? product : sum(product, [0]), [out, inner, 1]);
  });
  return reshape(places.length === 1 ? places[0]! : concat(places, 2), weight.shape);
}

/** Whether kernel applications tile x without overlap or gaps, like a vision transformer's patches. */
const cutsUp = (x: Value, weight: Value, { stride, padding }: Required<ConvOptions>): boolean =>
  stride > 1 &&
  padding.every((n) => n === 0) &&
  [2, 3].every((axis) => weight.shape[axis] === stride && (x.shape[axis] as number) % stride === 0);

/** {@link weightGradient} for tiled x, which takes a single product. */
function cutWeightGradient(g: Value, x: Value, weight: Value): Value {
  const [out, inner, kh, kw] = weight.shape as [Dim, number, number, number];
  const [batch, , height, width] = g.shape as [Dim, Dim, Dim, Dim];
  const patches = multiplyDims(batch, multiplyDims(height, width));
  const cut = transpose(reshape(x, [batch, inner, height, kh, width, kw]), [1, 3, 5, 0, 2, 4]);
  const seen = reshape(transpose(g, [1, 0, 2, 3]), [out, patches]);
  return reshape(matmulOf(seen, reshape(cut, [inner * kh * kw, patches]), "second"), weight.shape);
}

/** The pixels of x under one kernel position, for a result of the second operand's size. */
const windowOperator: Operator<{ row: number; column: number; stride: number }> = {
  name: "window",
  computes: "asInputs",
  reads: 1,
  infer: ([x, like]) => ({ shape: [...x!.shape.slice(0, 2), ...like!.shape.slice(2)], dtype: x!.dtype }),
  emit: (to, [x], { row, column, stride }, value) => {
    const end = (axis: number, from: number): Dim =>
      addDims(multiplyDims(value.shape[axis]!, stride), from - stride + 1);
    const ends = to.sizes([end(2, row), end(3, column)]);
    return to.node("Slice", [x!, to.integers([row, column]), ends, to.integers([2, 3]), to.integers([stride, stride])]);
  },
  gradient: noSecondDerivative("window"),
};
