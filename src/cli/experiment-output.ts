/** Prints the progress and results of experiments. */

import {
  type Forecast,
  pairsTable,
  type Results,
  type RunProgress,
  resultsTable,
  type Table,
} from "../experiments/index.ts";
import { type Compute, metrics, type PrecisionName } from "../index.ts";
import type { Output } from "./output.ts";
import { shortBytes, table } from "./printable.ts";

export const tellProgress =
  (output: Output) =>
  ({ done, total, pace, doing, detail }: RunProgress): void => {
    const units = `${done} of ${total} units done`;
    output.progress.steps(doing, pace, detail === "" ? units : `${units}, ${detail}`);
    Object.assign(output.result, { done, total });
  };

/** Reports once what `auto` resolved to. */
export function tellCompute(asked: PrecisionName | undefined, output: Output): (compute: Compute) => void {
  let told = asked !== "auto";
  return ({ device, precision }) => {
    if (!told) output.progress.note(`computing in ${precision} on ${device}`);
    told = true;
  };
}

/** Says what an experiment still needs; nothing if it is done. */
export function tellForecast({ adapters, classPictures, pictures, seconds, bytes }: Forecast, output: Output): void {
  Object.assign(output.result, { missing: { adapters, classPictures, pictures, seconds, bytes } });
  if (adapters + pictures === 0) return;
  const parts = [
    ...(adapters > 0 ? [`${adapters} adapters to train`] : []),
    ...(classPictures > 0 ? [`${classPictures} class images`] : []),
    ...(pictures > 0 ? [`${pictures} pictures to draw`] : []),
  ];
  const hours = seconds < 3600 ? `${Math.ceil(seconds / 60)} minutes` : `${(seconds / 3600).toPrecision(2)} hours`;
  output.progress.note(
    `${parts.join(", ")}: about ${hours} in one process here, by steps measured just now, and ${shortBytes(bytes)} of pictures`,
  );
}

/** The table of results, one line per method with intervals in brackets, followed by the compared pairs. */
export function resultLines(results: Results): string {
  const lines = ({ heads, rows }: Table) =>
    table([
      heads,
      ...rows.map((cells) =>
        cells.map(({ text, interval }) => (interval ? `${text} [${interval.replace(" to ", ", ")}]` : text)),
      ),
    ]);
  const pairs = pairsTable(results);
  const compared = pairs.rows.length > 0 ? `\n\n${lines(pairs)}` : "";
  return lines(resultsTable(results)) + compared;
}

const metricsIn = (experiment: Results["experiment"]) =>
  metrics.filter(({ name }) => experiment.metrics.includes(name));

/** One line per method with its scores; a metric is left out if the results are older than it. */
export const shortResultLines = ({ arms, experiment }: Results): string =>
  table([
    ["guidance", ...metricsIn(experiment).map(({ label }) => label), "s/picture"],
    ...arms.map(({ name, scores, secondsPerPicture }) => [
      name,
      ...metricsIn(experiment).map((metric) => scores[metric.name]?.mean.toFixed(3) ?? ""),
      secondsPerPicture.toFixed(2),
    ]),
  ]);
