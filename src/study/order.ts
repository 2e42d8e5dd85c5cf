/** What comes when, and where: every participant has an order of their own, drawn from the study's seed. */
import { shuffled } from "../random/shuffled.ts";
import { randomStream } from "../random/streams.ts";
import type { Study } from "./study.ts";

/** A set as one participant sees it. */
export interface Shown {
  /** The set's number in the study. */
  readonly set: number;
  /** The method, by its number, at each place. */
  readonly places: readonly number[];
}

/** The sets in the order of the participant of this number. */
export function shownTo({ seed, settings, sets }: Study, participant: number): Shown[] {
  const random = randomStream(seed, "order of a study", participant);
  const numbers = shuffled([...sets.keys()], random);
  return numbers.map((set) => {
    const { methods } = settings[sets[set]!.setting]!;
    return { set, places: shuffled([...methods.keys()], random) };
  });
}
