/** Random orders. */
import type { RandomStream } from "./streams.ts";

/** A uniformly random permutation (Fisher-Yates). */
export function shuffled<T>(all: readonly T[], random: RandomStream): T[] {
  const order = [...all];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
