/** Runs an experiment and writes its results. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { hold, makeFolder, placeOf } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import type { Experiment, GivenExperiment } from "./experiment.ts";
import { forecast, refuseMissing } from "./forecast.ts";
import { keptResults } from "./kept-results.ts";
import { identitiesOf, measuringEngine, openEncoders, type RunOptions } from "./networks.ts";
import { openExperiment, openPlan } from "./open-plan.ts";
import { withPaths } from "./paths.ts";
import type { Cell, Identities } from "./plan.ts";
import { gather, type Results } from "./results.ts";
import type { RunProgress } from "./run.ts";
import { wholeExperiment } from "./whole.ts";

/**
 * Does the missing units of an experiment in `options.folder`; writes `experiment.json` there first and `results.json` at the
 * end. After an interruption the next call continues.
 *
 * @throws TillerError `folder-in-use` if another process is doing so in the folder.
 */
export async function runExperiment(
  given: GivenExperiment,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<Results> {
  await makeFolder(options.folder);
  const lock = join(options.folder, "lock");
  const release = await hold(lock);
  if (!release) {
    throw new TillerError(
      "folder-in-use",
      `another process runs an experiment in ${options.folder}: wait for it, or share the work with --workers or tiller worker; if there is none, remove ${lock}.`,
      { paths: [options.folder, lock] },
    );
  }
  try {
    return await run(given, options, onProgress);
  } finally {
    await release();
  }
}

async function run(
  given: GivenExperiment,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void,
): Promise<Results> {
  if (options.onForecast) await refuseMissing(given);
  const opened = await openExperiment(given, options);
  const { experiment, compute, identities, cells } = opened;
  options.onForecast?.(await forecast(opened, options));
  options.onCompute?.(compute);
  const named = placed(experiment);
  await writeWhole(join(options.folder, "experiment.json"), `${JSON.stringify(named, null, 2)}\n`);
  // Loaded here: most commands run no experiment.
  const { runCells } = await import("./run.ts");
  await runCells({ experiment, named, identities, cells, compute }, options, onProgress);
  const results = await gathered(experiment, cells, identities, options);
  await writeWhole(join(options.folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  return results;
}

/**
 * Gathers the finished units of an experiment and writes them to `results.json` in the folder.
 *
 * If results.json is of the same experiment and has more finished units, it is kept and returned: the units that made it are no
 * longer here.
 */
export async function gatherResults(
  given: GivenExperiment,
  folder: string,
  options: Pick<RunOptions, "device" | "threads"> = {},
): Promise<Results> {
  const experiment = await wholeExperiment(given);
  const file = join(folder, "results.json");
  const identities = await identitiesOf(experiment);
  const cells = await openPlan(experiment, identities, folder);
  const results = await gathered(experiment, cells, identities, { ...options, folder });
  const before = await keptResults(folder);
  const same = before?.versions && isDeepStrictEqual(named(before.experiment), named(experiment));
  if (same && before.units.done > results.units.done) return before;
  await writeWhole(file, `${JSON.stringify(results, null, 2)}\n`);
  return results;
}

async function gathered(
  experiment: Experiment,
  cells: readonly Cell[],
  identities: Identities,
  { folder, device, threads }: Pick<RunOptions, "folder" | "device" | "threads">,
): Promise<Results> {
  const engine = await measuringEngine({ device, threads });
  try {
    return await gather(cells, experiment, identities, await openEncoders(engine, experiment), folder);
  } finally {
    await engine.close();
  }
}

/** The experiment with absolute paths; names that are not paths here are kept. */
const placed = (experiment: Experiment): Experiment =>
  withPaths(experiment, (name) => {
    const [, file = name, strength = ""] = (!existsSync(name) && /^(.+)(:[^:]+)$/.exec(name)) || [];
    return `${placeOf(file)}${strength}`;
  });

/** The experiment without folders in its paths, for comparison with others. */
const named = (experiment: Experiment): Experiment => withPaths(experiment, (name) => basename(name));
