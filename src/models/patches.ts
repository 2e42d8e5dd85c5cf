/** Pictures as tokens: projected patches after a class token, plus position embeddings. */
import {
  add,
  concat,
  conv,
  type Dim,
  expand,
  multiplyDims,
  reshape,
  slice,
  transpose,
  type Value,
} from "../graph/index.ts";
import type { Module } from "./module.ts";
import { resizedPositions } from "./positions.ts";

/** A vision transformer checkpoint's names for the three. */
export interface PatchNames {
  readonly patches: string;
  readonly classToken: string;
  readonly positions: string;
}

/**
 * Tokens [batch, 1 + patches, width] of a picture [batch, 3, h, w], class token first.
 *
 * If a square picture is not of the training size, position embeddings are interpolated as in DINO.
 */
export function embedPatches(module: Module, picture: Value, size: number, names: PatchNames): Value {
  const bias = module.has(`${names.patches}.bias`) ? module.value(`${names.patches}.bias`) : undefined;
  const patches = conv(picture, module.value(`${names.patches}.weight`), bias, { stride: size });
  const [batch, width, rows, columns] = patches.shape as [Dim, Dim, Dim, Dim];
  const tokens = transpose(reshape(patches, [batch, width, multiplyDims(rows, columns)]), [0, 2, 1]);
  const first = expand(module.value(names.classToken, { shape: [1, 1, width as number] }), slice(tokens, 1, 0, 1));
  const count = module.shape(names.positions).at(-2)!;
  const positions = module.value(names.positions, { shape: [1, count, width as number] });
  const [from, to] = [Math.round(Math.sqrt(count - 1)), rows as number];
  return add(concat([first, tokens], 1), from === to ? positions : resizedPositions(positions, from, to));
}
