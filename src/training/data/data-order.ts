/** The order of the pictures: each epoch is a new permutation. */
import { randomStream } from "../../random/streams.ts";

/** The order as a function of the draw's index, from 0, so that a resumed run continues it. */
export function dataOrder(seed: number, purpose: string, count: number): (draw: number) => number {
  let epoch = -1;
  let order: number[] = [];
  return (draw) => {
    if (Math.floor(draw / count) !== epoch) {
      epoch = Math.floor(draw / count);
      order = shuffled(seed, purpose, epoch, count);
    }
    return order[draw % count]!;
  };
}

/** Fisher-Yates. */
function shuffled(seed: number, purpose: string, epoch: number, count: number): number[] {
  const random = randomStream(seed, `order of ${purpose}`, epoch);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
