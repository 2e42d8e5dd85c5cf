/** Results as a table in the paper's layout. */
import { type MetricName, metricNames } from "../metrics/fidelity.ts";
import { personalisationName } from "./experiment.ts";
import { published } from "./published.ts";
import type { Intervals, Results } from "./results.ts";

export const metricTitles: Readonly<Record<MetricName, string>> = { dino: "DINO", clipI: "CLIP-I", clipT: "CLIP-T" };

/** A cell: what is shown first, and its interval. */
export interface TableCell {
  readonly text: string;
  readonly interval?: string;
}

export const tableHeads: readonly string[] = [
  "fine-tuning",
  "guidance",
  ...metricNames.flatMap((metric) => [metricTitles[metric], "over cfg"]),
  "rows",
  "s/picture",
  "process MiB",
  "paper, SD 1.5",
];

/**
 * A row for each method: the way of fine-tuning and the method, each score with its interval and with what it is over cfg
 * (of pg++: over cfg++), the rows of a step, the time of a picture, the memory, and the paper's DINO, CLIP-I and CLIP-T.
 */
export function tableRows({ arms, experiment }: Results): TableCell[][] {
  return arms.map((result) => {
    const one = experiment.personalisation.find(
      (other) => personalisationName(other, experiment.personalisation) === result.personalisation,
    )!;
    const theirs = published(one, result.arm, experiment);
    return [
      { text: result.personalisation },
      { text: result.name },
      ...metricNames.flatMap((metric) => {
        const { mean, low, high } = result.scores[metric];
        return [
          { text: mean.toFixed(3), interval: `${low.toFixed(3)} to ${high.toFixed(3)}` },
          result.overCfg ? difference(result.overCfg, metric) : { text: "" },
        ];
      }),
      { text: String(result.rows) },
      { text: result.secondsPerPicture.toFixed(2) },
      { text: (result.memory / 2 ** 20).toFixed(0) },
      { text: theirs ? metricNames.map((metric) => theirs[metric].toFixed(3)).join(" ") : "" },
    ];
  });
}

export const pairHeads: readonly string[] = [
  "fine-tuning",
  "guidance",
  "over",
  ...metricNames.map((metric) => metricTitles[metric]),
];

/** A row for each pair that the experiment asks to have compared: what the first has more than the second. */
export const pairRows = ({ pairs = [] }: Results): TableCell[][] =>
  pairs.map(({ personalisation, name, over, differences }) => [
    { text: personalisation },
    { text: name },
    { text: over },
    ...metricNames.map((metric) => difference(differences, metric)),
  ]);

const difference = (differences: Intervals, metric: MetricName): TableCell => {
  const { mean, low, high } = differences[metric];
  return { text: signed(mean), interval: `${signed(low)} to ${signed(high)}` };
};

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
