/** Experiments: personalise, draw, measure, compare. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../errors.ts";
import { writeAll, writeAtomically } from "../files/atomic-file.ts";
import { exists } from "../files/regular-file.ts";
import { startEngine } from "../runtime/index.ts";
import { conceptsOf } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { type ReportOptions, report } from "./report.ts";
import { gather, type Results } from "./results.ts";
import { openEncoders, openPlan, type RunOptions, type RunProgress, runCells } from "./run.ts";
import { sheetOf } from "./sheet.ts";

export { embeddedConcept } from "./concepts.ts";
export { type Experiment, type ExperimentFile, parseExperiment, readExperiment } from "./experiment.ts";
export type { ArmResult, PromptResult, Results } from "./results.ts";
export type { RunOptions, RunProgress } from "./run.ts";
export { tableHeads, tableRows } from "./table.ts";

/**
 * Does what is missing of an experiment in `options.folder` and writes `results.json` there. Interrupted, the next call goes
 * on; several calls at once share the work.
 */
export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<Results> {
  const cells = await openPlan(experiment, options.folder);
  await runCells(cells, experiment, options, onProgress);
  return gatherResults(experiment, options.folder);
}

/** Gathers what is finished of an experiment, and writes it to `results.json` in the folder. */
export async function gatherResults(experiment: Experiment, folder: string): Promise<Results> {
  const cells = await openPlan(experiment, folder);
  const engine = await startEngine();
  try {
    const results = await gather(cells, experiment, await openEncoders(engine, experiment), folder);
    const text = `${JSON.stringify(results, null, 2)}\n`;
    await write(join(folder, "results.json"), new TextEncoder().encode(text));
    return results;
  } finally {
    await engine.close();
  }
}

/** Writes `report.html` into an experiment's folder: one page that needs nothing beside it. Returns its path. */
export async function writeReport(
  results: Results,
  folder: string,
  options: Omit<ReportOptions, "concepts" | "folder">,
): Promise<string> {
  const concepts = await conceptsOf(results.experiment, join(folder, "references"));
  const file = join(folder, "report.html");
  await write(file, new TextEncoder().encode(await report(results, { ...options, concepts, folder })));
  return file;
}

/** Writes `sheet.png` into an experiment's folder. Returns its path. */
export async function writeSheet(results: Results, folder: string, title: string): Promise<string> {
  const file = join(folder, "sheet.png");
  await write(file, await sheetOf(results, title, folder));
  return file;
}

const write = (file: string, bytes: Uint8Array): Promise<void> =>
  writeAtomically(file, (handle) => writeAll(handle, bytes));

/** @throws TillerError if the folder has no results. */
export async function readResults(folder: string): Promise<Results> {
  const file = join(folder, "results.json");
  if (!(await exists(file))) throw new TillerError(`${folder} has no results.json; tiller bench run makes one.`);
  return JSON.parse(await readFile(file, "utf8")) as Results;
}
