/**
 * Random draws of training. Each stream is a function of the seed, what it is for and its number: a run that is resumed
 * draws what it would have drawn, and no draw depends on another.
 */
import { mersenneTwister } from "./mersenne-twister.ts";
import { createNoise } from "./noise.ts";

export interface RandomStream {
  /** Uniform in 0 (included) to 1 (not). */
  uniform(): number;
  /** A whole number from 0 to `count` - 1. */
  integer(count: number): number;
}

/** The stream of a purpose's `number`-th use. */
export function randomStream(seed: number, purpose: string, number: number): RandomStream {
  const next = mersenneTwister(streamSeed(seed, purpose, number));
  const uniform = () => (next() >>> 5) * 2 ** -27 + (next() >>> 6) * 2 ** -53;
  return { uniform, integer: (count) => Math.floor(uniform() * count) };
}

/** `count` standard normal values. */
export const normalValues = (seed: number, purpose: string, number: number, count: number): Float32Array =>
  createNoise(streamSeed(seed, purpose, number)).normal(count);

/** 32 bits from all three: FNV-1a, finished as MurmurHash3 is, so that neighbouring numbers give unlike seeds. */
function streamSeed(seed: number, purpose: string, number: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed} ${purpose} ${number}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
