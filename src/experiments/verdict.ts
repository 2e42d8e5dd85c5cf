/** Decides claims about a mean: that it is above or below 0, or within a margin of 0. */
import type { Estimate } from "./crossed.ts";
import { studentQuantile, studentTail } from "./student.ts";

/** What is claimed of a mean; the margin is stated before the first picture. */
export type Claimed =
  | {
      /** The mean is above, or below, 0. */
      readonly is: "above" | "below";
    }
  | {
      /** The mean is within the margin of 0: equivalence. */
      readonly is: "within";
      /** Either side of 0. */
      readonly margin: number;
    };

/** What the data say of a claim, or of several. */
export type Verdict = "held" | "contradicted" | "undecided";

/** How probable data like these are if the claim is just not true, and if it is just true. */
export interface Chances {
  /** One-sided, or the greater of the two one-sided tests of equivalence. */
  readonly ifFalse: number;
  readonly ifTrue: number;
}

/** The probability of a wrong verdict in either direction. */
const level = 0.025;

/** The share of runs in which an effect that can be seen is seen. */
const power = 0.8;

/** @throws RangeError if the estimate has no standard error. */
export function chancesOf(claimed: Claimed, { mean, error, freedom }: Estimate): Chances {
  if (Number.isNaN(error)) throw new RangeError("a single score has no standard error");
  /** The probability of a mean above this one if the true one is `at`. */
  const beyond = (at: number) =>
    error === 0 ? (mean > at ? 0 : mean < at ? 1 : 0.5) : studentTail((mean - at) / error, freedom);
  switch (claimed.is) {
    case "above":
      return { ifFalse: beyond(0), ifTrue: 1 - beyond(0) };
    case "below":
      return { ifFalse: 1 - beyond(0), ifTrue: beyond(0) };
    case "within": {
      const { margin } = claimed;
      return {
        ifFalse: Math.max(beyond(-margin), 1 - beyond(margin)),
        ifTrue: Math.min(1 - beyond(-margin), beyond(margin)),
      };
    }
  }
}

/**
 * The chances of a finding of several claims: it holds if all do, so the least certain counts; it is contradicted if one is, and
 * each had its chance to be.
 */
export const chancesTogether = (all: readonly Chances[]): Chances => ({
  ifFalse: Math.max(...all.map(({ ifFalse }) => ifFalse)),
  ifTrue: Math.min(1, all.length * Math.min(...all.map(({ ifTrue }) => ifTrue))),
});

/**
 * Verdicts on several findings at once by Holm's method: the chance that any of them is wrong is at most 5 %, 2.5 % in either
 * direction.
 */
export function verdictsOf(all: readonly Chances[]): Verdict[] {
  const order = all.map((_, i) => i).sort((a, b) => least(all[a]!) - least(all[b]!));
  const verdicts = all.map((): Verdict => "undecided");
  for (const [rank, i] of order.entries()) {
    if (least(all[i]!) > level / (all.length - rank)) break;
    verdicts[i] = all[i]!.ifFalse <= all[i]!.ifTrue ? "held" : "contradicted";
  }
  return verdicts;
}

const least = ({ ifFalse, ifTrue }: Chances): number => Math.min(ifFalse, ifTrue);

/**
 * The smallest effect that data with this error show in four of five runs; for a claim of equivalence the smallest margin that they
 * confirm so often if the effect is 0.
 *
 * @param wrong The probability of a wrong verdict in one direction.
 */
export function smallestSeen(
  { is }: Claimed,
  { error, freedom }: Pick<Estimate, "error" | "freedom">,
  wrong = level,
): number {
  const missed = is === "within" ? (1 - power) / 2 : 1 - power;
  return (studentQuantile(wrong, freedom) + studentQuantile(missed, freedom)) * error;
}

/** How far the mean is from where the verdict would change, which is what must be seen to decide. */
export function distanceOf(claimed: Claimed, mean: number): number {
  return claimed.is === "within" ? Math.abs(claimed.margin - Math.abs(mean)) : Math.abs(mean);
}
