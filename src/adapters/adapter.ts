/** An adapter, independent of its file format: its changes by the base model's module names. */

import { magnitudeOf } from "../bytes/computable.ts";
import type { LearnedTokens } from "../families/family.ts";
import type { ByComponent } from "../models/components.ts";

/** A matrix or convolution kernel, row-major. */
export interface Factor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** W + scale * up down. */
export interface LowRank {
  /** [rank, in], or [rank, in, kh, kw] for a convolution. */
  readonly down: Factor;
  /** [out, rank], or [out, rank, 1, 1]. */
  readonly up: Factor;
  /** alpha / rank. */
  readonly scale: number;
}

export type AdapterFormat = "peft" | "diffusers" | "diffusers-old" | "kohya" | "custom-diffusion" | "textual-inversion";

export interface Adapter {
  /** The file's name without its extension. */
  readonly name: string;
  /** Absolute path of the file (or main file) it was read from. */
  readonly file: string;
  readonly format: AdapterFormat;
  /** By component, then by module path, such as `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`. */
  readonly lowRank: ByComponent<ReadonlyMap<string, LowRank>>;
  /** Matrices [out, in] that replace the base model's (Custom Diffusion's keys and values), likewise. */
  readonly full: ByComponent<ReadonlyMap<string, Factor>>;
  /**
   * Differences added to the base model's parameters, by component and parameter key: a matrix or kernel [out, in, ...], or a
   * vector for a norm's weight or a bias, which the base model need not have.
   */
  readonly differences: ByComponent<ReadonlyMap<string, Factor>>;
  /** Learned tokens, such as `<cat>`, with their embeddings in order, by the component whose table they extend. */
  readonly tokens: ByComponent<ReadonlyMap<string, readonly Float32Array[]>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Ambiguities in the file, one sentence each. */
  readonly warnings: readonly string[];
}

/** An upper bound on the magnitude of a low-rank change's elements. */
export function boundOf({ down, up, scale }: LowRank): number {
  return Math.abs(scale) * down.shape[0]! * magnitudeOf(down.data) * magnitudeOf(up.data);
}

/** Modules whose weights any of the adapters changes, and keys of the vectors they change. */
export function sites(adapters: readonly Adapter[]): ByComponent<ReadonlySet<string>> {
  const touched = new Map<string, Set<string>>();
  const touch = (component: string, paths: Iterable<string>) => {
    const known = touched.get(component) ?? new Set();
    for (const path of paths) known.add(path);
    touched.set(component, known);
  };
  for (const { lowRank, full, differences } of adapters) {
    for (const [component, modules] of [...lowRank, ...full]) touch(component, modules.keys());
    for (const [component, changes] of differences) {
      touch(
        component,
        [...changes].map(([key, { shape }]) => (shape.length === 1 ? key : key.slice(0, -".weight".length))),
      );
    }
  }
  return touched;
}

/** Learned tokens and their numbers of embeddings by component, in adapter order. */
export function learnedTokens(adapters: readonly Adapter[]): LearnedTokens {
  const learned = new Map<string, Map<string, number>>();
  for (const { tokens } of adapters) {
    for (const [component, table] of tokens) {
      const known = learned.get(component) ?? new Map();
      for (const [token, vectors] of table) known.set(token, vectors.length);
      learned.set(component, known);
    }
  }
  return learned;
}

/** The learned tokens of any component. */
export const tokenNames = (learned: LearnedTokens): string[] => [
  ...new Set([...learned.values()].flatMap((table) => [...table.keys()])),
];
