/** Attention with the key names of Diffusers' checkpoints: to_q, to_k, to_v, to_out.0. */
import {
  add,
  attention,
  type Dim,
  divide,
  matmulInFloat32,
  multiplyDims,
  relu,
  reshape,
  sum,
  transpose,
  type Value,
} from "../graph/index.ts";
import { linearAt, type Module } from "./module.ts";

/** Keys and values of one attention layer, [batch, tokens, width] each. */
export interface KeysValues {
  readonly keys: Value;
  readonly values: Value;
}

export const keysValues = (module: Module, context: Value): KeysValues => ({
  keys: linearAt(module.at("to_k"), context),
  values: linearAt(module.at("to_v"), context),
});

/** x [batch, tokens, width] attends to given keys and values. */
export function attend(module: Module, x: Value, { keys, values }: KeysValues, heads: number): Value {
  const queries = linearAt(module.at("to_q"), x); // [batch, tokens, width]
  return linearAt(module.at("to_out").at(0), attention(queries, keys, values, heads));
}

/**
 * Linear attention with ReLU in place of the softmax: (v k') q, normalised by each query's total weight. The cost is linear in
 * the number of positions.
 *
 * q, k and v are [batch, heads, head size, positions], and so is the result. Sums are in float32: over a thousand positions
 * they would overflow float16, and the 1e-15 that prevents 0 / 0 would underflow in it.
 */
export function linearAttention(q: Value, k: Value, v: Value): Value {
  const [queries, keys] = [relu(q), relu(k)];
  const shared = matmulInFloat32(v, keys, "second"); // [batch, heads, head size, head size]
  const weights = matmulInFloat32(sum(keys, [3], { keep: true }), queries, "first"); // [batch, heads, 1, positions]
  return divide(matmulInFloat32(shared, queries, "none"), add(weights, 1e-15));
}

/** [batch, channels, h, w] to [batch, h*w, channels]. */
export function toTokens(x: Value): Value {
  const [batch, channels, height, width] = x.shape as [Dim, Dim, Dim, Dim];
  return transpose(reshape(x, [batch, channels, multiplyDims(height, width)]), [0, 2, 1]);
}

/** The inverse of {@link toTokens}, for pictures of the size of `like`. */
export function toPicture(tokens: Value, like: Value): Value {
  const [batch, , height, width] = like.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(tokens, [0, 2, 1]), [batch, tokens.shape[2]!, height, width]);
}
