/** Attention: softmax(q k' / sqrt(head size)) v. */
import type { DType } from "../../bytes/tensor-ref.ts";
import { type Dim, sameDim, sameShape } from "../dim.ts";
import type { Emitter } from "../emitter.ts";
import { apply, mismatch, type Operator, type Value } from "../value.ts";
import { add, multiply, subtract } from "./elementwise.ts";
import { reshape, transpose } from "./layout.ts";
import { constant } from "./leaves.ts";
import { softmax } from "./normalisations.ts";
import { after } from "./ordering.ts";
import { inFloat32 } from "./precision.ts";
import { matmul, matmulOf } from "./products.ts";
import { sum } from "./reductions.ts";

const attentionOperator: Operator<{ heads: number; causal: boolean }> = {
  name: "attention",
  computes: "real",
  infer: (inputs, { heads, causal }) => {
    const [q, k, v] = inputs as [Value, Value, Value];
    const width = q.shape[2]!;
    if (typeof width !== "number" || width % heads !== 0)
      mismatch("attention", inputs, `${heads} heads do not divide the width`);
    if (causal && inputs[3]) mismatch("attention", inputs, "it cannot be causal and have a bias");
    if (inputs[3] && !sameShape(inputs[3].shape, k.shape.slice(0, 2))) {
      mismatch("attention", inputs, "the bias is not one number for each key");
    }
    const batchFits = sameDim(q.shape[0]!, k.shape[0]!) && sameDim(k.shape[0]!, v.shape[0]!);
    if (!batchFits || !sameDim(k.shape[1]!, v.shape[1]!) || !sameDim(width, k.shape[2]!)) {
      mismatch("attention", inputs, "keys and values do not fit the queries");
    }
    return { shape: [q.shape[0]!, q.shape[1]!, v.shape[2]!], dtype: q.dtype };
  },
  emit: (to, inputs, { heads, causal }, value) => {
    const [q, k] = value.inputs as [Value, Value];
    if (!to.target.fused.has("attention")) return emitPlain(to, inputs, value, heads, causal);
    const [qkv, given] = [inputs.slice(0, 3), inputs[3]];
    // The kernel broadcasts a bias only along the heads.
    const repeated = (bias: string) =>
      to.node("Expand", [byKey(to, bias), to.sizes([q.shape[0]!, 1, q.shape[1]!, k.shape[1]!])]);
    const bias = causal ? to.numbers(...causalBias(q.shape[1]!, to.type)) : given && repeated(given);
    return to.node(
      "MultiHeadAttention",
      bias === undefined ? qkv : [...qkv, "", "", bias],
      { num_heads: heads, scale: { float: scaleOf(q, heads) } },
      "com.microsoft",
    );
  },
  // The probabilities P [batch, heads, tokens, keys] are the largest tensor of all, so they are recomputed. With d P = g v', the
  // softmax gives d S = P (d P - the row's sum of P d P), and that sum equals the row's g o.
  gradient: ({ g, inputs, attributes: { heads, causal }, result }) => {
    const scale = scaleOf(inputs[0]!, heads);
    const [q, k, v] = inputs.slice(0, 3).map((x) => byHead(after(x, [g]), heads)) as [Value, Value, Value];
    const given = inputs[3];
    const [gh, o] = [byHead(g, heads), byHead(result, heads)];
    const scores = matmulOf(multiply(q, scale), k, "second");
    const bias = causal
      ? constant(...causalBias(q.shape[2]!, "float32"))
      : given && reshape(given, [given.shape[0]!, 1, 1, given.shape[1]!]);
    const p = softmax(bias ? add(inFloat32(scores), bias) : scores);
    const gScores = multiply(p, subtract(matmulOf(gh, v, "second"), sum(multiply(gh, o), [3], { keep: true })));
    return [
      together(multiply(matmul(gScores, k), scale)),
      together(multiply(matmulOf(gScores, q, "first"), scale)),
      together(matmulOf(p, gh, "first")),
      given && sum(gScores, [1, 2]),
    ];
  },
};

/** The definition as separate operators, with softmax in float32. */
function emitPlain(
  to: Emitter,
  [q, k, v, given]: readonly string[],
  { inputs, shape }: Value,
  heads: number,
  causal: boolean,
): string {
  const split = (x: string, width: number, order: readonly number[]) =>
    to.node("Transpose", [to.node("Reshape", [x, to.integers([0, 0, heads, width / heads])])], { perm: order });
  const width = inputs[0]!.shape[2] as number;
  const bias = causal
    ? to.numbers(...causalBias(inputs[0]!.shape[1]!, "float32"), "float32")
    : given && to.cast(byKey(to, given), to.type, "float32");
  const scale = to.numbers([], [scaleOf(inputs[0]!, heads)]);
  const queries = to.node("Mul", [split(q!, width, [0, 2, 1, 3]), scale]);
  const scores = to.node("MatMul", [queries, split(k!, width, [0, 2, 3, 1])]); // [batch, heads, tokens, keys]
  const wide = to.cast(scores, to.type, "float32");
  const shares = to.node("Softmax", [bias === undefined ? wide : to.node("Add", [wide, bias])], { axis: -1 });
  const mixed = to.node("MatMul", [to.cast(shares, "float32", to.type), split(v!, shape[2] as number, [0, 2, 1, 3])]);
  return to.node("Reshape", [
    to.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
    to.integers([0, 0, shape[2] as number]),
  ]);
}

/** A bias [batch, keys] in the shape to add to scores [batch, heads, tokens, keys]. */
const byKey = (to: Emitter, bias: string): string => to.node("Unsqueeze", [bias, to.integers([1, 2])]);

const scaleOf = (q: Value, heads: number): number => 1 / Math.sqrt((q.shape[2] as number) / heads);

/** [batch, tokens, width] to [batch, heads, tokens, width / heads]. */
function byHead(x: Value, heads: number): Value {
  const [batch, tokens, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse of {@link byHead}. */
function together(x: Value): Value {
  const [batch, heads, tokens, size] = x.shape as [Dim, number, Dim, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

/** A bias that hides every later position: 0 below the diagonal, a number whose exponential is 0 above. */
function causalBias(tokens: Dim, type: DType): [readonly number[], Float32Array] {
  if (typeof tokens !== "number") throw new Error("causal attention needs a fixed number of tokens");
  const hiding = type === "float16" ? -1e4 : -1e9; // float16's maximum is 65504, and a score is added
  const bias = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? hiding : 0,
  );
  return [[1, 1, tokens, tokens], bias];
}

/**
 * Multi-head attention, softmax(q k' / sqrt(head size)) v.
 *
 * q [batch, tokens, width], k and v [batch, keys, width], heads concatenated along the width. Result: [batch, tokens, width].
 * `causal` hides later keys; `bias` [batch, keys] is added to the scores of every head and query before the softmax.
 */
export const attention = (
  q: Value,
  k: Value,
  v: Value,
  heads: number,
  { causal = false, bias }: { readonly causal?: boolean; readonly bias?: Value | undefined } = {},
): Value => apply(attentionOperator, bias ? [q, k, v, bias] : [q, k, v], { heads, causal });
