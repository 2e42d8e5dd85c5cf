/** An experiment from its file to its results. */
import { join } from "node:path";
import { writeWhole } from "../files/atomic-file.ts";
import { startEngine } from "../runtime/index.ts";
import type { Experiment } from "./experiment.ts";
import { gather, type Results } from "./results.ts";
import { identitiesOf, openEncoders, openPlan, type RunOptions, type RunProgress, runCells } from "./run.ts";

/**
 * Does what is missing of an experiment in `options.folder` and writes `results.json` there, and `experiment.json` before
 * it begins. Interrupted, the next call goes on; several calls at once share the work.
 */
export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<Results> {
  const cells = await openPlan(experiment, await identitiesOf(experiment), options.folder);
  await writeWhole(join(options.folder, "experiment.json"), `${JSON.stringify(experiment, null, 2)}\n`);
  await runCells(cells, experiment, options, onProgress);
  return gatherResults(experiment, options.folder);
}

/** Gathers what is finished of an experiment, and writes it to `results.json` in the folder. */
export async function gatherResults(experiment: Experiment, folder: string): Promise<Results> {
  const identities = await identitiesOf(experiment);
  const cells = await openPlan(experiment, identities, folder);
  const engine = await startEngine();
  try {
    const results = await gather(cells, experiment, identities, await openEncoders(engine, experiment), folder);
    const text = `${JSON.stringify(results, null, 2)}\n`;
    await writeWhole(join(folder, "results.json"), text);
    return results;
  } finally {
    await engine.close();
  }
}
