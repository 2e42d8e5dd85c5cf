/** Results as a table in the paper's layout. */
import { type MetricName, metricNames } from "../metrics/fidelity.ts";
import { published } from "./published.ts";
import type { ArmResult, Results } from "./results.ts";

export const metricTitles: Readonly<Record<MetricName, string>> = { dino: "DINO", clipI: "CLIP-I", clipT: "CLIP-T" };

export interface TableRow {
  readonly arm: ArmResult;
  /** The way of fine-tuning and the method, the scores with their intervals, what they have over cfg, the paper's. */
  readonly cells: readonly string[];
}

export const tableHeads: readonly string[] = [
  "fine-tuning",
  "guidance",
  ...metricNames.flatMap((metric) => [metricTitles[metric], "over cfg"]),
  "s/picture",
  "paper (SD 1.5): DINO, CLIP-I, CLIP-T",
];

export function tableRows({ arms, experiment }: Results): TableRow[] {
  return arms.map((result) => {
    const one = experiment.personalisation.find(({ recipe }) => result.personalisation.startsWith(recipe))!;
    const theirs = published(one.recipe, result.arm);
    const cells = [
      result.personalisation,
      result.name,
      ...metricNames.flatMap((metric) => {
        const over = result.overCfg?.[metric];
        const { mean, low, high } = result.scores[metric];
        return [
          `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`,
          over ? `${signed(over.mean)} [${signed(over.low)}, ${signed(over.high)}]` : "",
        ];
      }),
      result.secondsPerPicture.toFixed(2),
      theirs ? metricNames.map((metric) => theirs[metric].toFixed(3)).join(", ") : "",
    ];
    return { arm: result, cells };
  });
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
