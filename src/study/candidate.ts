/** Sets that a study could show, and the choice among them. */

import { shuffled } from "../random/shuffled.ts";
import type { RandomStream } from "../random/streams.ts";

/** One subject, prompt and seed, with a picture of every method. */
export interface Candidate {
  readonly subject: string;
  /** The prompt in plain words, without the subject's token. */
  readonly text: string;
  readonly seed?: number | undefined;
  /** A file for each method. */
  readonly pictures: readonly string[];
  /** Files of the subject's own pictures. */
  readonly references: readonly string[];
}

/** Candidates drawn at random, with subjects, and then prompts, as equally often as can be. */
export function chosenFrom(candidates: readonly Candidate[], count: number, random: RandomStream): Candidate[] {
  const left = shuffled(candidates, random);
  const chosen: Candidate[] = [];
  while (chosen.length < count && left.length > 0) {
    const used = (key: "subject" | "text", { [key]: value }: Candidate) =>
      chosen.filter((other) => other[key] === value).length;
    const rarer = (one: Candidate, other: Candidate) =>
      used("subject", one) - used("subject", other) || used("text", one) - used("text", other);
    const next = left.reduce((best, one) => (rarer(one, best) < 0 ? one : best));
    left.splice(left.indexOf(next), 1);
    chosen.push(next);
  }
  return chosen;
}
