/** Attention with the key names of Diffusers' checkpoints: to_q, to_k, to_v, to_out.0. */
import { attention, type Dim, multiplyDims, reshape, transpose, type Value } from "../graph/index.ts";
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
