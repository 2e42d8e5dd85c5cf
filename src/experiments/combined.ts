/** Rows' scores, combined picture by picture. */
import { mean } from "../metrics/features.ts";
import type { MetricName } from "../metrics/fidelity.ts";
import type { Measured } from "./crossed.ts";
import type { PromptResult } from "./prompt-result.ts";

/** A row's scores, and its factor in a combination: 1 and -1 for a difference. */
export interface Term {
  readonly prompts: readonly PromptResult[];
  readonly factor: number;
}

/**
 * The combination of rows for every concept and prompt that all of them have, with the metric: picture by picture if all have their pictures'
 * scores, over the seeds they share; else of the means over their pictures.
 */
export function combined(terms: readonly Term[], metric: MetricName): Measured[] {
  const [first, ...others] = terms.map(({ prompts, factor }) => ({
    factor,
    at: new Map(prompts.map((one) => [`${one.concept}/${one.prompt}`, one])),
  }));
  if (!first) return [];
  return [...first.at].flatMap(([place, one]): Measured[] => {
    const rest = others.map(({ at, factor }) => ({ one: at.get(place), factor }));
    if (!rest.every((other): other is { one: PromptResult; factor: number } => other.one !== undefined)) return [];
    const all = [{ one, factor: first.factor }, ...rest];
    if (all.some(({ one }) => one.scores[metric] === undefined)) return [];
    const { concept, prompt } = one;
    const sum = (value: (one: PromptResult) => number) =>
      all.reduce((total, { one, factor }) => total + factor * value(one), 0);
    const seeds = one.seeds.filter((seed) =>
      all.every(({ one }) => one.pictures?.[metric] !== undefined && one.seeds.includes(seed)),
    );
    if (seeds.length === 0) return [{ concept, prompt, value: sum(({ scores }) => scores[metric]!) }];
    return seeds.map((seed) => ({
      concept,
      prompt,
      seed,
      value: sum(({ pictures, seeds }) => pictures![metric]![seeds.indexOf(seed)]!),
    }));
  });
}

/** The means of a combination by concept. */
export function byConcept(measured: readonly Measured[]): Map<string, number> {
  const concepts = new Set(measured.map(({ concept }) => concept));
  return new Map(
    [...concepts].map((concept) => {
      const own = measured.filter((one) => one.concept === concept);
      const prompts = [...new Set(own.map(({ prompt }) => prompt))];
      const of = (name: string) => mean(own.filter(({ prompt }) => prompt === name).map(({ value }) => value));
      return [concept, mean(prompts.map(of))];
    }),
  );
}
