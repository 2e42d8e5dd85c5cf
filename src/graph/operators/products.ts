/** Matrix products, convolution and attention: where the time goes. */
import { addDims, type Dim, floorDivide, type Shape, sameDim, sameShape } from "../dim.ts";
import { apply, mismatch, type Operator, type Value } from "../value.ts";
import { add } from "./elementwise.ts";

const matmulOperator: Operator<{ transposed: boolean }> = {
  name: "matmul",
  infer: (inputs, { transposed }) => {
    const [a, b] = inputs as [Value, Value];
    const inner = b.shape.at(transposed ? -1 : -2);
    const outer = b.shape.at(transposed ? -2 : -1);
    const batchFits = b.shape.length === 2 || sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (inner === undefined || outer === undefined || !batchFits || !sameDim(a.shape.at(-1)!, inner)) {
      mismatch(transposed ? "matmul with a transposed matrix" : "matmul", inputs, "the inner sizes differ");
    }
    return { shape: [...a.shape.slice(0, -1), outer], dtype: a.dtype };
  },
  emit: (to, [a, b], { transposed }, value) => {
    if (!transposed) return to.node("MatMul", [a!, b!]);
    if (to.dialect === "cpu") return to.node("FusedMatMul", [a!, b!], { transB: 1 }, "com.microsoft");
    const rank = value.inputs[1]!.shape.length;
    const order = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return to.node("MatMul", [a!, to.node("Transpose", [b!], { perm: order })]);
  },
};

/** a [..., m, k] times b [k, n] or [..., k, n]. */
export const matmul = (a: Value, b: Value): Value => apply(matmulOperator, [a, b], { transposed: false });

/** x [..., in] through a linear layer as PyTorch stores it: weight [out, in], bias [out]. */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const y = apply(matmulOperator, [x, weight], { transposed: true }); // [..., out]
  return bias ? add(y, bias) : y;
}

export interface ConvOptions {
  readonly stride?: number;
  /** Zeros added at top, left, bottom, right. */
  readonly padding?: readonly [number, number, number, number];
}

const convOperator: Operator<Required<ConvOptions>> = {
  name: "conv",
  infer: (inputs, { stride, padding }) => {
    const [x, weight] = inputs as [Value, Value];
    const [batch, channels, height, width] = x.shape;
    const [out, inner, kh, kw] = weight.shape;
    if (x.shape.length !== 4 || weight.shape.length !== 4) mismatch("conv", inputs, "both must have four axes");
    if (!sameDim(channels!, inner!)) mismatch("conv", inputs, "the channel counts differ");
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
  emit: (to, inputs, { stride, padding }) => to.node("Conv", inputs, { strides: [stride, stride], pads: padding }),
};

/** 2-D convolution of x [batch, in, h, w] with weight [out, in, kh, kw] and bias [out]. */
export function conv(x: Value, weight: Value, bias?: Value, options: ConvOptions = {}): Value {
  const { stride = 1, padding = [0, 0, 0, 0] } = options;
  return apply(convOperator, bias ? [x, weight, bias] : [x, weight], { stride, padding });
}

const attentionOperator: Operator<{ heads: number; causal: boolean }> = {
  name: "attention",
  infer: (inputs, { heads }) => {
    const [q, k, v] = inputs as [Value, Value, Value];
    const width = q.shape[2]!;
    if (typeof width !== "number" || width % heads !== 0)
      mismatch("attention", inputs, `${heads} heads do not divide the width`);
    const batchFits = sameDim(q.shape[0]!, k.shape[0]!) && sameDim(k.shape[0]!, v.shape[0]!);
    if (!batchFits || !sameDim(k.shape[1]!, v.shape[1]!) || !sameDim(width, k.shape[2]!)) {
      mismatch("attention", inputs, "keys and values do not fit the queries");
    }
    return { shape: [q.shape[0]!, q.shape[1]!, v.shape[2]!], dtype: q.dtype };
  },
  emit: (to, inputs, { heads, causal }, value) => {
    const scale = 1 / Math.sqrt((value.inputs[0]!.shape[2] as number) / heads);
    const bias = causal ? ["", "", to.constant("float32", ...causalBias(value.inputs[0]!.shape[1]!))] : [];
    return to.node(
      "MultiHeadAttention",
      [...inputs, ...bias],
      { num_heads: heads, scale: { float: scale } },
      "com.microsoft",
    );
  },
};

/** A bias that hides every later position: 0 below the diagonal, a number whose exponential is 0 above. */
function causalBias(tokens: Dim): [readonly number[], Uint8Array] {
  if (typeof tokens !== "number") throw new Error("causal attention needs a fixed number of tokens");
  const bias = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? -1e9 : 0,
  );
  return [[1, 1, tokens, tokens], new Uint8Array(bias.buffer)];
}

/**
 * Multi-head attention, softmax(q k' / sqrt(head size)) v.
 *
 * q [batch, tokens, width], k and v [batch, keys, width]; the heads lie side by side in the width.
 */
export const attention = (q: Value, k: Value, v: Value, heads: number, options: { causal?: boolean } = {}): Value =>
  apply(attentionOperator, [q, k, v], { heads, causal: options.causal ?? false });
