/**
 * Experiments: personalise, draw, measure, compare; and tuning omega for an adapter.
 *
 * @module tillerjs/experiments
 */

import { join } from "node:path";
import { exists } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { chartsOf } from "./charts.ts";
import { conceptsOf } from "./concepts.ts";
import { type Experiment, readExperiment } from "./experiment.ts";
import { intervalCsv } from "./interval-chart.ts";
import { type ReportOptions, report } from "./report.ts";
import type { Results } from "./results.ts";
import { sheetOf } from "./sheet.ts";
import { keptExperiment } from "./whole.ts";

export type { Interval } from "./crossed.ts";
export {
  type Arm,
  type Experiment,
  type ExperimentFile,
  type GivenExperiment,
  parseExperiment,
  readExperiment,
} from "./experiment.ts";
export type { ClaimResult, FindingResult, Needs } from "./findings.ts";
export type { Claim, ClaimTerm, FindingsFile } from "./findings-file.ts";
export { forecastOf } from "./forecast.ts";
export { keptResults } from "./kept-results.ts";
export type { Fleet, Forecast, RunOptions } from "./networks.ts";
export type { Identities } from "./plan.ts";
export type { PromptResult } from "./prompt-result.ts";
export type { ReportOptions } from "./report.ts";
export type { ArmResult, Intervals, PairResult, Results } from "./results.ts";
export type { RunProgress } from "./run.ts";
export { gatherResults, runExperiment } from "./run-experiment.ts";
export {
  type Findings,
  type FindingsRequest,
  findingsAtHand,
  type PlannedExperiment,
  planFindings,
  runFindings,
} from "./run-findings.ts";
export type { Candidate, Found, Tried } from "./search.ts";
export { pairsTable, resultsTable, type Table, type TableCell } from "./table.ts";
export { type Tuned, type TuneRequest, tune } from "./tune.ts";
export type { Claimed, Verdict } from "./verdict.ts";

/**
 * Writes `report.html` into an experiment's folder, one self-contained page, and beside it `chart-*.csv`, the numbers of each of its
 * charts. Returns the page's path.
 */
export async function writeReport(results: Results, folder: string, options: ReportOptions): Promise<string> {
  const concepts = await conceptsOf(results.experiment, join(folder, "references"));
  const file = join(folder, "report.html");
  await writeWhole(file, await report(results, { ...options, concepts, folder }));
  for (const { metric, over, measured, paper } of chartsOf(results)) {
    const name = `chart-${metric}-over-${over}.csv`.toLowerCase().replaceAll(" ", "-");
    const theirs = paper.map((one) => ({ ...one, name: `paper: ${one.name}` }));
    await writeWhole(join(folder, name), intervalCsv([...measured, ...theirs], over));
  }
  return file;
}

/** Writes `sheet.png` into an experiment's folder. Returns its path. */
export async function writeSheet(results: Results, folder: string, title: string): Promise<string> {
  const file = join(folder, "sheet.png");
  await writeWhole(file, await sheetOf(results, title, folder));
  return file;
}

/**
 * The experiment of a folder.
 *
 * @throws TillerError if the folder has none.
 */
export async function experimentIn(folder: string): Promise<Experiment> {
  const file = join(folder, "experiment.json");
  if (await exists(file)) return keptExperiment(await readExperiment(file));
  const what = (await exists(join(folder, "results.json")))
    ? "only results.json, which tiller bench table shows; for a report with pictures run tiller bench run"
    : "no experiment.json: tiller bench run makes one";
  throw new TillerError("experiment-missing", `${folder} has ${what}.`, { paths: [folder] });
}
