/**
 * The mean of scores over concepts, prompts and seeds, and how far it may be from the mean over all concepts, prompts and seeds
 * like these. The three are crossed: every concept is drawn with the same prompts, and every prompt from the same seeds, so a hard
 * prompt lowers the scores of all concepts at once. The variance is that of the random-effects model with all interactions,
 *
 *     Var(mean) = V(concept) + V(prompt) + V(seed) - V(concept, prompt) - V(concept, seed) - V(prompt, seed) + V(all),
 *
 * where each V is the mean square of that effect over the number of scores (Searle, Casella and McCulloch, Variance Components,
 * 1992), the degrees of freedom are Satterthwaite's, and the interval is Student's. Percentiles of a bootstrap
 * would be too narrow: where concepts differ most they hold 92 % with sixteen of them, 81 % with four.
 */
import { studentQuantile } from "./student.ts";

/** A score, or a combination of scores, of one concept and prompt, from one seed or from several together. */
export interface Measured {
  readonly concept: string;
  readonly prompt: string;
  readonly seed?: number | undefined;
  readonly value: number;
}

/** A mean and its 95 % interval. */
export interface Interval {
  /** The mean. */
  readonly mean: number;
  /** Lower bound of the interval; NaN, in files null, if a single score says nothing about others. */
  readonly low: number;
  /** Upper bound; NaN likewise. */
  readonly high: number;
}

/** A mean with its standard error. */
export interface Estimate {
  /** The mean over concepts of the means over their prompts, each the mean over its seeds. */
  readonly mean: number;
  /** Standard error; NaN if there is a single concept, prompt and seed. */
  readonly error: number;
  /** Degrees of freedom of the standard error. */
  readonly freedom: number;
  /** How the squared error divides into what concepts, prompts, seeds, and their combinations have of their own. */
  readonly parts: readonly Part[];
}

/** What an effect contributes to the variance of a mean. */
export interface Part {
  /** The factors whose combinations differ: `["concept", "prompt"]`. */
  readonly of: readonly FactorName[];
  readonly variance: number;
}

export type FactorName = "concept" | "prompt" | "seed";

/** The mean of the scores with its 95 % interval. */
export function intervalOf(scores: readonly Measured[]): Interval {
  const { mean, error, freedom } = estimate(scores);
  const reach = Number.isNaN(error) ? error : studentQuantile(0.025, freedom) * error;
  return { mean, low: mean - reach, high: mean + reach };
}

/** The mean of the scores with its standard error. */
export function estimate(scores: readonly Measured[]): Estimate {
  const concepts = factorOf("concept", scores);
  const prompts = factorOf("prompt", scores);
  const seeds = factorOf("seed", scores);
  const weights = weightsOf(scores, concepts, prompts);
  const mean = scores.reduce((sum, { value }, i) => sum + weights[i]! * value, 0);
  const data: Cells = { values: scores.map(({ value }) => value - mean), weights };

  let factors = [concepts, prompts, seeds].filter(({ count }) => count > 1);
  if (factors.length === 0) return { mean, error: Number.NaN, freedom: 0, parts: [] };
  const shares = new Map<readonly Factor[], number>();
  for (const set of subsetsOf(factors))
    shares.set(set, set.length === 1 ? ofFactor(data, set[0]!) : ofInteraction(data, set));
  const total = (having: (set: readonly Factor[]) => boolean) =>
    [...shares].reduce((sum, [set, share]) => sum + (having(set) ? (set.length % 2 === 1 ? share : -share) : 0), 0);
  // Seeds, and prompts, that differ no more than single pictures do are no clusters.
  for (const factor of [seeds, prompts])
    if (factors.length > 1 && total((set) => set.includes(factor) && set.every((one) => factors.includes(one))) <= 0)
      factors = factors.filter((one) => one !== factor);
  const parts = [...shares.keys()].map((set): Part => {
    const own = [...shares].reduce(
      (sum, [other, share]) =>
        set.every((one) => other.includes(one)) ? sum + ((other.length - set.length) % 2 === 0 ? share : -share) : sum,
      0,
    );
    return { of: set.map(({ name }) => name), variance: Math.max(0, own) };
  });
  const mains = factors.map((factor) => {
    const [, share] = [...shares].find(([set]) => set.length === 1 && set[0] === factor)!;
    return { share, freedom: factor.count - 1 };
  });
  // Each factor's share is expected to be no more than the whole, which the subtractions can make too small.
  const variance = Math.max(
    total((set) => set.every((one) => factors.includes(one))),
    ...mains.map(({ share }) => share),
  );
  const denominator = mains.reduce((sum, { share, freedom }) => sum + share ** 2 / freedom, 0);
  return {
    mean,
    error: Math.sqrt(variance),
    freedom: denominator > 0 ? Math.max(1, variance ** 2 / denominator) : 1,
    parts,
  };
}

/** The standard error expected with so many times the concepts, prompts and seeds. */
export function errorWith({ parts }: Estimate, times: Readonly<Partial<Record<FactorName, number>>>): number {
  const variance = parts.reduce(
    (sum, part) => sum + part.variance / part.of.reduce((product, name) => product * (times[name] ?? 1), 1),
    0,
  );
  return Math.sqrt(variance);
}

/** For each score the number of its level, of a factor or of several together. */
interface Levels {
  readonly at: readonly number[];
  readonly count: number;
}

interface Factor extends Levels {
  readonly name: FactorName;
}

const factorOf = (name: FactorName, scores: readonly Measured[]): Factor => ({
  name,
  ...levelsOf(scores.map((one) => one[name])),
});

function levelsOf(names: readonly unknown[]): Levels {
  const numbers = new Map<unknown, number>();
  const at = names.map((name) => {
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return numbers.get(name)!;
  });
  return { at, count: numbers.size };
}

interface Cells {
  readonly values: readonly number[];
  readonly weights: readonly number[];
}

/** Concepts weigh the same, so do the prompts of a concept, and the seeds of a prompt. */
function weightsOf(scores: readonly Measured[], concepts: Levels, prompts: Levels): number[] {
  const both = concepts.at.map((concept, i) => concept * prompts.count + prompts.at[i]!);
  const seedsAt = new Map<number, number>();
  for (const place of both) seedsAt.set(place, (seedsAt.get(place) ?? 0) + 1);
  const promptsOf = new Array<number>(concepts.count).fill(0);
  for (const place of seedsAt.keys()) promptsOf[Math.floor(place / prompts.count)]!++;
  return scores.map((_, i) => 1 / (concepts.count * promptsOf[concepts.at[i]!]! * seedsAt.get(both[i]!)!));
}

/** The weighted means of the cells of a factor, or of factors together. */
function meansBy({ values, weights }: Cells, { at, count }: Levels): { means: number[]; weights: number[] } {
  const sums = new Array<number>(count).fill(0);
  const totals = new Array<number>(count).fill(0);
  for (let i = 0; i < values.length; i++) {
    sums[at[i]!]! += weights[i]! * values[i]!;
    totals[at[i]!]! += weights[i]!;
  }
  return { means: sums.map((sum, i) => sum / totals[i]!), weights: totals };
}

/** V of a factor: its levels' means, squared and weighed, corrected for the mean that was subtracted. */
function ofFactor(data: Cells, factor: Levels): number {
  const { means, weights } = meansBy(data, factor);
  const squares = weights.reduce((sum, weight) => sum + weight ** 2, 0);
  const kept = weights.reduce((sum, weight) => sum + weight ** 2 * (1 - 2 * weight + squares), 0);
  return (squares / kept) * means.reduce((sum, mean, i) => sum + (weights[i]! * mean) ** 2, 0);
}

/** V of an interaction: what the factors' lower effects leave of the cells' means; 0 if they leave nothing. */
function ofInteraction(data: Cells, factors: readonly Levels[]): number {
  const cells = together(factors);
  const { means, weights } = meansBy(data, cells);
  // A cell's level of each set of factors one smaller.
  const lower = factors.map((_, left) => {
    const { at, count } = together(factors.filter((_, i) => i !== left));
    const own = new Array<number>(cells.count);
    for (const [i, cell] of cells.at.entries()) own[cell] = at[i]!;
    return { at: own, count };
  });
  const freedom =
    factors.length === 2
      ? cells.count - lower[0]!.count - lower[1]!.count + 1
      : cells.count -
        lower.reduce((sum, { count }) => sum + count, 0) +
        factors.reduce((sum, { count }) => sum + count, 0) -
        1;
  if (freedom <= 0) return 0;
  let residuals = means;
  // One round is exact if all cells are there; prompts for living things alone take more.
  for (let round = 0; round < 30; round++) {
    let largest = 0;
    for (const level of lower) {
      const fitted = meansBy({ values: residuals, weights }, level).means;
      residuals = residuals.map((value, i) => value - fitted[level.at[i]!]!);
      for (const value of fitted) largest = Math.max(largest, Math.abs(value));
    }
    if (largest < 1e-9) break;
  }
  return (cells.count / freedom) * residuals.reduce((sum, value, i) => sum + (weights[i]! * value) ** 2, 0);
}

/** The combinations of several factors' levels as one factor. */
function together(factors: readonly Levels[]): Levels {
  if (factors.length === 1) return factors[0]!;
  return levelsOf(factors[0]!.at.map((_, i) => factors.reduce((sum, { at, count }) => sum * count + at[i]!, 0)));
}

/** All sets of one or more. */
function subsetsOf<T>(all: readonly T[]): T[][] {
  const subsets: T[][] = [];
  for (let bits = 1; bits < 2 ** all.length; bits++) {
    subsets.push(all.filter((_, i) => bits & (1 << i)));
  }
  return subsets;
}
