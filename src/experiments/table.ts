/** Results as a table in the paper's layout. */
import { type MetricName, metricsOf } from "../metrics/fidelity.ts";
import type { Interval } from "./crossed.ts";
import { personalisationName } from "./experiment.ts";
import type { PublishedScores } from "./paper-tables.ts";
import { paperBaseOf, published, publishedApplication } from "./published.ts";
import type { Intervals, Results } from "./results.ts";

/** A cell: its text and interval. */
export interface TableCell {
  /** A number or a name, formatted. */
  readonly text: string;
  /** Its 95 % interval, formatted: "0.512 to 0.538". */
  readonly interval?: string;
}

/** A table, independent of how it is shown. */
export interface Table {
  /** The columns' names. */
  readonly heads: readonly string[];
  /** Cells row by row. */
  readonly rows: readonly (readonly TableCell[])[];
}

const headsOf = (metrics: readonly { readonly label: string }[]): readonly string[] => [
  "fine-tuning",
  "guidance",
  ...metrics.flatMap(({ label }) => [label, "over cfg"]),
  "rows",
  "s/picture",
  "process MiB",
];

/**
 * A row for each method: the fine-tuning method and the guidance method, each score with its interval and its difference to cfg
 * (for pg++: to cfg++), rows per step, time per picture, memory, and, if the paper has any of the rows, its DINO, CLIP-I and CLIP-T.
 */
export function resultsTable({ arms, experiment }: Results): Table {
  const metrics = metricsOf(experiment.metrics);
  const theirs = arms.map((result) => {
    const one = experiment.personalisation.find(
      (other) => personalisationName(other, experiment.personalisation) === result.personalisation,
    )!;
    const scores = published(experiment.model, one, result.arm);
    return scores ? written(scores) : publishedApplication(experiment, result.arm);
  });
  const compared = theirs.some((text) => text !== undefined);
  const rows = arms.map((result, i): TableCell[] => [
    { text: result.personalisation },
    { text: result.name },
    ...metrics.flatMap(({ name }) => [
      score(result.scores, name),
      result.overCfg ? difference(result.overCfg, name) : { text: "" },
    ]),
    { text: String(Math.round(result.rows * 100) / 100) },
    { text: result.secondsPerPicture.toFixed(2) },
    { text: (result.memory / 2 ** 20).toFixed(0) },
    ...(compared ? [{ text: theirs[i] ?? "" }] : []),
  ]);
  const heads = headsOf(metrics);
  const base = paperBaseOf(experiment.base ?? experiment.model);
  return { heads: compared ? [...heads, base === undefined ? "paper" : `paper, ${base}`] : heads, rows };
}

const written = ({ dino, clipI, clipT }: PublishedScores): string =>
  [dino, clipI, clipT].map((value) => value.toFixed(4)).join(" ");

/** A row for each pair that the experiment compares: the first minus the second. */
export const pairsTable = ({ pairs = [], experiment }: Results): Table => ({
  heads: ["fine-tuning", "guidance", "over", ...metricsOf(experiment.metrics).map(({ label }) => label)],
  rows: pairs.map(({ personalisation, name, over, differences }) => [
    { text: personalisation },
    { text: name },
    { text: over },
    ...metricsOf(experiment.metrics).map(({ name }) => difference(differences, name)),
  ]),
});

const score = (scores: Intervals, metric: MetricName): TableCell => cell(scores[metric], (value) => value.toFixed(3));

const difference = (differences: Intervals, metric: MetricName): TableCell => cell(differences[metric], signed);

/** Empty if the results are older than the metric; without an interval if a single score gives none. */
function cell(interval: Interval | undefined, written: (value: number) => string): TableCell {
  if (!interval) return { text: "" };
  const { mean, low, high } = interval;
  return Number.isNaN(low)
    ? { text: written(mean) }
    : { text: written(mean), interval: `${written(low)} to ${written(high)}` };
}

const signed = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
