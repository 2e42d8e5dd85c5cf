/** The order of the pictures: each epoch is a new permutation. */
import { shuffled } from "../../random/shuffled.ts";
import { randomStream } from "../../random/streams.ts";

/** The order as a function of the draw's index, from 0, so that a resumed run continues it. */
export function dataOrder(seed: number, purpose: string, count: number): (draw: number) => number {
  let epoch = -1;
  let order: number[] = [];
  return (draw) => {
    if (Math.floor(draw / count) !== epoch) {
      epoch = Math.floor(draw / count);
      order = shuffled([...new Array(count).keys()], randomStream(seed, `order of ${purpose}`, epoch));
    }
    return order[draw % count]!;
  };
}
