/**
 * Random draws for training. Each stream depends only on the seed, its purpose and its number, so a resumed run draws the same
 * values, and no draw depends on another.
 */
import { mersenneTwister } from "./mersenne-twister.ts";
import { createNoise } from "./noise.ts";

export interface RandomStream {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** A whole number from 0 to `count` - 1. */
  integer(count: number): number;
}

/** The `number`-th stream for a purpose. */
export function randomStream(seed: number, purpose: string, number: number): RandomStream {
  const next = mersenneTwister(streamSeed(seed, purpose, number));
  const uniform = () => (next() >>> 5) * 2 ** -27 + (next() >>> 6) * 2 ** -53;
  return { uniform, integer: (count) => Math.floor(uniform() * count) };
}

/** `count` standard normal values. */
export const normalValues = (seed: number, purpose: string, number: number, count: number): Float32Array =>
  createNoise(streamSeed(seed, purpose, number)).normal(count);

/** Hashes all three to 32 bits: FNV-1a with MurmurHash3's finaliser, so that neighbouring numbers give unrelated seeds. */
function streamSeed(seed: number, purpose: string, number: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed} ${purpose} ${number}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
