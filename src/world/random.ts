/** The world's random numbers: the same for the same seed on every machine. */

export interface Random {
  /** From `low` (included) to `high` (not). */
  range(low: number, high: number): number;
  /** A whole number from 0 to `count` - 1. */
  integer(count: number): number;
  pick<T>(choices: readonly T[]): T;
  chance(share: number): boolean;
}

/** SplitMix32 over a hash of the words that name the stream. */
export function randomOf(...words: readonly (string | number)[]): Random {
  let state = 0x811c9dc5;
  for (const character of words.join(" ")) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  return {
    range: (low, high) => low + (high - low) * next(),
    integer: (count) => Math.floor(next() * count),
    pick: (choices) => choices[Math.floor(next() * choices.length)]!,
    chance: (share) => next() < share,
  };
}
