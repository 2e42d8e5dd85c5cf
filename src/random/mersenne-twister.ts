/**
 * The mt19937 random number generator (Matsumoto and Nishimura, 1998), seeded as PyTorch's CPU generator seeds it:
 * with the low 32 bits of the seed.
 */

/** Words of state. */
const size = 624;
/** Distance between the words that are combined. */
const shift = 397;

/**
 * A stream of uniformly distributed 32-bit unsigned integers.
 *
 * @param seed an integer; only its low 32 bits count, a negative one in two's complement.
 */
export function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(size);
  state[0] = Number(BigInt.asUintN(32, BigInt(seed)));
  for (let j = 1; j < size; j++) {
    const previous = state[j - 1]!;
    state[j] = Math.imul(1812433253, previous ^ (previous >>> 30)) + j;
  }
  let next = size;

  return () => {
    if (next === size) {
      twist(state);
      next = 0;
    }
    let y = state[next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  };
}

/** The recurrence: 624 fresh words in place of the old ones. */
function twist(state: Uint32Array): void {
  for (let j = 0; j < size; j++) {
    const mixed = (state[j]! & 0x80000000) | (state[(j + 1) % size]! & 0x7fffffff);
    state[j] = state[(j + shift) % size]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
  }
}
