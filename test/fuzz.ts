/** Fuzzing: every seeded mutation of a valid file gives a valid result or a TillerError, in time. */
import { expect } from "vitest";
import { TillerError } from "../src/errors/index.ts";

/** How many mutations a test makes: `usual`, or the number in TILLER_FUZZ (`TILLER_FUZZ=30000 npx vitest run …`). */
export const mutations = (usual: number): number => Number(process.env.TILLER_FUZZ ?? usual);

export interface Chance {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A whole number from 0 to `n` - 1. */
  readonly below: (n: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
}

/** A seeded generator, for reproducible failures: Tommy Ettinger's mulberry32. TILLER_FUZZ_SEED gives other mutations. */
export function chance(seed: number): Chance {
  let state = seed + Number(process.env.TILLER_FUZZ_SEED ?? 0);
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(random() * n);
  return { random, below, pick: (from) => from[below(from.length)]! };
}

export interface Mutation {
  /** Strings to insert, or to write over existing bytes. */
  readonly words: readonly string[];
  /** The range of bytes where edits begin; all by default. */
  readonly from?: number;
  readonly to?: number;
  /** Whether it is text: the end may be cut off, and numbers replaced. */
  readonly text?: boolean;
}

/** Makes one to three edits: bytes replaced, pieces removed or doubled, words inserted; in text also the end cut, numbers replaced. */
export function mutate(
  { below, pick }: Chance,
  valid: Buffer,
  { words, from = 0, to = valid.length, text = true }: Mutation,
): Buffer<ArrayBuffer> {
  let bytes = Buffer.from(valid);
  for (let edits = 1 + below(3); edits > 0 && bytes.length > 0; edits--) {
    const at = Math.min(bytes.length - 1, from + below(to - from));
    const put = (piece: string, length = 0) => {
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(piece, "latin1"), bytes.subarray(at + length)]);
    };
    const edit = below(text ? 8 : 6);
    if (edit === 0) bytes[at] = below(256);
    else if (edit === 1) put("", below(20));
    else if (edit === 2) put(bytes.toString("latin1", at, at + below(30)));
    else if (edit === 3) put(pick(words));
    else if (edit === 4) bytes.write(pick(words), at, "latin1");
    else if (edit === 5) bytes[at] = (bytes[at]! + pick([1, -1, 128])) & 255;
    else if (edit === 6) bytes = Buffer.from(bytes.subarray(0, at));
    else bytes = otherNumber(bytes, at, String(pick([below(64), below(64), 0, 1e9, 2 ** 53, -1, 0.5])));
  }
  return bytes;
}

/** Replaces the first number at or after a byte. */
function otherNumber(bytes: Buffer, at: number, number: string): Buffer<ArrayBuffer> {
  const behind = bytes.toString("latin1", at).replace(/-?\d+/, () => number);
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(behind, "latin1")]);
}

/** Milliseconds: most take less than one; a hang takes many seconds. */
const limit = 10_000;

/**
 * True if reading succeeded, false if it was refused.
 *
 * @param told Describes the mutation, for the message of any other outcome.
 */
export async function survives(read: () => unknown, told: () => string): Promise<boolean> {
  const began = performance.now();
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof TillerError) return false;
    throw new Error(`${error} for ${told()}`, { cause: error });
  } finally {
    expect(performance.now() - began, told()).toBeLessThan(limit);
  }
}

/** If everything were refused, or everything accepted, the mutations would test nothing beyond the first check. */
export function expectBoth(valid: number, of: number): void {
  expect(valid / of).toBeGreaterThan(0.01);
  expect(valid / of).toBeLessThan(0.97);
}
