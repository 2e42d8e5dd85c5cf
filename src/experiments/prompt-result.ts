/** What a prompt of a concept came to. */
import type { MetricName, Scores } from "../metrics/fidelity.ts";

/** One prompt of one concept under one method. */
export interface PromptResult {
  /** The concept's name. */
  readonly concept: string;
  /** The prompt's name, such as "santa hat". */
  readonly prompt: string;
  /** Means over its pictures. */
  readonly scores: Scores;
  /** Its pictures' scores by metric, in the order of their seeds; missing in older results, and if there is only one picture. */
  readonly pictures?: Readonly<Partial<Record<MetricName, readonly number[]>>> | undefined;
  /** The unit's folder, relative to the experiment's. */
  readonly folder: string;
  /** The pictures' seeds, in order. */
  readonly seeds: readonly number[];
}
