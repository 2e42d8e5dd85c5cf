/**
 * The factors of all loaded adapters at one module, concatenated along the rank axis: y = W x + ((x A) * s) B.
 *
 * The strength s has one value per rank column and differs between the rows of a batch.
 */

import { readWeight } from "../bytes/refuse-not-finite.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import type { Adapter, Factor, LowRank } from "./adapter.ts";

export interface StackedSite {
  readonly rank: number;
  /** Linear: [in, rank]. Convolution: [rank, in, kh, kw]. */
  readonly down: Float32Array;
  /** Linear: [rank, out]. Convolution: [out, rank, 1, 1]. Scales are folded in. */
  readonly up: Float32Array;
  /** Index of the adapter each rank column belongs to. */
  readonly owner: Int32Array;
}

export interface Host {
  /** How the network computes the module; a 1x1 convolution may be computed as a linear layer. */
  readonly kind: "linear" | "conv";
  /** The base model's weight. */
  readonly weight: TensorRef;
}

/** Stacks the factors of `adapters` at `module`, padded with zeros to `leastRank` columns. */
export async function stackSite(
  adapters: readonly Adapter[],
  component: string,
  module: string,
  { kind, weight }: Host,
  leastRank = 0,
): Promise<StackedSite> {
  const [out, width, ...kernel] = weight.shape as [number, number, ...number[]];
  const inner = width * kernel.reduce((a, b) => a * b, 1);
  const parts: { low: LowRank; adapter: number }[] = [];
  for (const [adapter, { lowRank, full, differences }] of adapters.entries()) {
    const low = lowRank.get(component)?.get(module);
    if (low) parts.push({ low, adapter });
    const whole = full.get(component)?.get(module);
    if (whole) parts.push({ low: asLowRank(await lessBase(whole, weight)), adapter });
    const difference = differences.get(component)?.get(`${module}.weight`);
    if (difference) parts.push({ low: asLowRank(difference), adapter });
  }

  const rank = Math.max(
    leastRank,
    parts.reduce((sum, { low }) => sum + low.down.shape[0]!, 0),
  );
  const down = new Float32Array(inner * rank);
  const up = new Float32Array(rank * out);
  const owner = new Int32Array(rank).fill(-1);
  let first = 0;
  for (const { low, adapter } of parts) {
    const r = low.down.shape[0]!;
    owner.fill(adapter, first, first + r);
    for (let k = 0; k < r; k++) {
      const column = first + k;
      const row = low.down.data.subarray(k * inner, (k + 1) * inner);
      if (kind === "conv") down.set(row, column * inner);
      else for (let i = 0; i < inner; i++) down[i * rank + column] = row[i]!;
      for (let o = 0; o < out; o++) {
        const value = low.scale * low.up.data[o * r + k]!;
        if (kind === "conv") up[o * rank + column] = value;
        else up[column * out + o] = value;
      }
    }
    first += r;
  }
  return { rank, down, up, owner };
}

/** A replaced matrix as a difference: W1 - W0. */
async function lessBase({ data, shape }: Factor, weight: TensorRef): Promise<Factor> {
  const base = await readWeight(weight);
  return { shape, data: data.map((value, i) => value - base[i]!) };
}

/** A whole difference as a full-rank change, with the identity on its smaller side (for a kernel, on its outputs). */
function asLowRank({ data, shape }: Factor): LowRank {
  const [out, width, ...kernel] = shape as [number, number, ...number[]];
  if (kernel.some((n) => n !== 1) || out <= width) {
    return { down: { shape, data }, up: { shape: [out, out], data: identity(out) }, scale: 1 };
  }
  return {
    down: { shape: [width, width, ...kernel], data: identity(width) },
    up: { shape: [out, width], data },
    scale: 1,
  };
}

function identity(size: number): Float32Array {
  const ones = new Float32Array(size * size);
  for (let i = 0; i < size; i++) ones[i * size + i] = 1;
  return ones;
}

/** What adapters add to a bias or a norm's parameter, one row each. */
export interface StackedVectors {
  /** [n, length]. */
  readonly vectors: Float32Array;
  /** Index of the adapter each vector belongs to, -1 for a row of zeros. */
  readonly owner: Int32Array;
}

/** Stacks what `adapters` add to the vector of that key, padded with zeros to `least` rows. */
export function stackVectors(
  adapters: readonly Adapter[],
  component: string,
  key: string,
  length: number,
  least = 0,
): StackedVectors {
  const found = adapters.flatMap(({ differences }, adapter) => {
    const change = differences.get(component)?.get(key);
    return change ? [{ adapter, data: change.data }] : [];
  });
  const rows = Math.max(least, found.length);
  const vectors = new Float32Array(rows * length);
  const owner = new Int32Array(rows).fill(-1);
  for (const [row, { adapter, data }] of found.entries()) {
    vectors.set(data, row * length);
    owner[row] = adapter;
  }
  return { vectors, owner };
}

/**
 * One batch row's strengths, one per rank column: its adapter's strength times the row's share (1 strong, omega weak, 0
 * base). A column without an adapter (owner -1) has strength 0.
 */
export const strengthRow = (owner: Int32Array, strengths: readonly number[], share: number): Float32Array =>
  Float32Array.from(owner, (adapter) => (adapter === -1 ? 0 : strengths[adapter]! * share));
