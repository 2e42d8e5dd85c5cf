/** Decides the findings of a file: from results at hand, and from experiments that it runs where they are missing. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { decide, type FindingResult } from "./findings.ts";
import { type FindingsFile, readFindings } from "./findings-file.ts";
import { type MeasuredPace, measuredPace, missingOf } from "./forecast.ts";
import { keptResults } from "./kept-results.ts";
import { identitiesOf, type RunOptions } from "./networks.ts";
import { openPlan } from "./open-plan.ts";
import type { Results } from "./results.ts";
import type { RunProgress } from "./run.ts";
import { runExperiment } from "./run-experiment.ts";
import { wholeExperiment } from "./whole.ts";

/** A request to decide findings. */
export interface FindingsRequest {
  /** The file of findings. */
  readonly file: string;
  /** Folders with earlier results: `NAME/results.json` for the experiment NAME. */
  readonly results: readonly string[];
}

/** What an experiment still needs. */
export interface PlannedExperiment {
  /** The experiment's name. */
  readonly name: string;
  /** Adapters to train. */
  readonly adapters: number;
  /** Pictures to draw. */
  readonly pictures: number;
  /** Hours in one process on this machine, from steps measured now. */
  readonly hours: number;
}

/** Findings with their verdicts. */
export interface Findings {
  /** Every finding of the file. */
  readonly findings: readonly FindingResult[];
  /** Margins with their reasons. */
  readonly margins: FindingsFile["margins"];
}

/**
 * Decides the findings from the results at hand, those in `folder` and those in `request.results`, and writes them to
 * `findings.json` in `folder`. Nothing is drawn.
 *
 * @throws TillerError if a file cannot be read, or results do not have the rows that claims are about.
 */
export async function findingsAtHand(request: FindingsRequest, folder: string): Promise<Findings> {
  const file = await readFindings(request.file);
  return written(file, await resultsAtHand(file, [folder, ...request.results]), folder);
}

/**
 * Runs the experiments whose results are not at hand, in `options.folder`, where a stopped run continues; then decides the findings and writes them to `findings.json` there.
 *
 * @throws TillerError as {@link findingsAtHand} does, and if an experiment fails.
 */
export async function runFindings(
  request: FindingsRequest,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<Findings> {
  const file = await readFindings(request.file);
  const { folder } = options;
  const known = await resultsAtHand(file, [folder, ...request.results]);
  for (const [name, experiment] of file.experiments) {
    if (isWhole(known.get(name)?.results)) continue;
    // All share one folder, and with it their adapters.
    const results = await runExperiment(experiment, options, onProgress);
    const own = join(folder, name);
    await makeFolder(own);
    await copyFile(join(folder, "results.json"), join(own, "results.json"));
    known.set(name, { results, folder: own });
  }
  return written(file, known, folder);
}

/** What the experiments without whole results at hand still need, at the pace of steps measured now. */
export async function planFindings(request: FindingsRequest, options: RunOptions): Promise<PlannedExperiment[]> {
  const file = await readFindings(request.file);
  const known = await resultsAtHand(file, [options.folder, ...request.results]);
  const plans: PlannedExperiment[] = [];
  let pace: MeasuredPace | undefined;
  // An adapter that several experiments share is trained once.
  const trained = new Set<string>();
  for (const [name, given] of file.experiments) {
    if (isWhole(known.get(name)?.results)) continue;
    const experiment = await wholeExperiment(given);
    const cells = await openPlan(experiment, await identitiesOf(experiment), options.folder);
    pace ??= await measuredPace(given, options);
    const { adapters, pictures, seconds } = await missingOf(cells, experiment, pace, trained);
    plans.push({ name, adapters, pictures, hours: seconds / 3600 });
  }
  return plans;
}

interface AtHand {
  readonly results: Results;
  readonly folder: string;
}

/** Results by experiment, also of the experiments used instead; of several the one with the most units. */
async function resultsAtHand(file: FindingsFile, folders: readonly string[]): Promise<Map<string, AtHand>> {
  const found = new Map<string, AtHand>();
  for (const name of new Set([...file.experiments.keys(), ...Object.values(file.instead)]))
    for (const folder of folders.map((one) => join(one, name))) {
      const results = await keptResults(folder);
      const before = found.get(name);
      if (results && results.arms.length > 0 && results.units.done > (before?.results.units.done ?? 0))
        found.set(name, { results, folder });
    }
  return found;
}

const isWhole = (results: Results | undefined): boolean =>
  results !== undefined && results.units.done === results.units.total;

async function written(file: FindingsFile, known: ReadonlyMap<string, AtHand>, folder: string): Promise<Findings> {
  const results = new Map([...known].map(([name, { results }]) => [name, results]));
  const findings = { findings: decide(file, results), margins: file.margins };
  await writeWhole(join(folder, "findings.json"), `${JSON.stringify(findings, null, 2)}\n`);
  return findings;
}
