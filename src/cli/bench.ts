/** `tiller bench`: experiments from a file, their table and their report. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import {
  experimentIn,
  type Forecast,
  forecastOf,
  gatherResults,
  keptResults,
  type Results,
  readExperiment,
  runExperiment,
  writeReport,
} from "../experiments/index.ts";
import { TillerError } from "../index.ts";
import { addCost, type CostOptions } from "./cost.ts";
import { resultLines, tellCompute, tellForecast, tellProgress } from "./experiment-output.ts";
import { addFindings, type FindingsOptions } from "./findings.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { quoted, shortTime } from "./printable.ts";
import { addQueueOptions, fleetOf, type QueueOptions } from "./queue-options.ts";
import { parseWorkers } from "./values.ts";
import type { World } from "./world.ts";

interface BenchOptions extends CommonOptions, QueueOptions {
  out?: string;
  shard?: string;
  dryRun?: true;
  workers?: number;
  detach?: true;
}

export type BenchVerb = "run" | "table" | "report";

export function addBench(
  program: Command,
  act: (verb: BenchVerb, path: string, options: BenchOptions) => Promise<void>,
  decide: (path: string | undefined, options: FindingsOptions) => Promise<void>,
  price: (options: CostOptions) => Promise<void>,
): void {
  const bench = program
    .command("bench")
    .description("run an experiment, print its table, write its report; decide the paper's findings");
  const run = bench
    .command("run")
    .description("run the missing parts of an experiment: train, draw, measure")
    .argument("<experiment.json>", "the experiment: fine-tuning methods, guidance methods, concepts and prompts")
    .option("--out <folder>", "where results are kept; default: tiller-bench/NAME")
    .option(
      "--workers <n>",
      "processes of this machine that share the work, with --queue beside those of others; default: 1, or none with --queue",
      parseWorkers,
    )
    .option("--dry-run", "only say how many pictures, hours and gigabytes are missing on this machine")
    .option("--detach", "with --queue: leave the work to the workers and end; the same command without it collects")
    .addOption(new Option("--shard <i/n>").hideHelp());
  addQueueOptions(run);
  addCommonOptions(run).action((path, options) => act("run", path, options));
  const table = bench
    .command("table")
    .description("print the table of finished results")
    .argument("<folder>", "the experiment's folder");
  addCommonOptions(table).action((path, options) => act("table", path, options));
  const report = bench
    .command("report")
    .description("write report.html with the finished results: one self-contained page")
    .argument("<folder>", "the experiment's folder");
  addCommonOptions(report).action((path, options) => act("report", path, options));
  addFindings(bench, decide);
  addCost(bench, price);
}

export async function bench(
  verb: BenchVerb,
  path: string,
  options: BenchOptions,
  world: World,
  output: Output,
): Promise<void> {
  switch (verb) {
    case "run":
      return runBench(path, options, world, output);
    case "table":
      return say(await tabulated(path, options), output);
    case "report": {
      const results = await regathered(path, options);
      output.result.report = await writeReport(results, path, pageOf(results, join(path, "experiment.json"), path));
      output.say(String(output.result.report));
    }
  }
}

async function runBench(
  path: string,
  { out, shard, workers, detach, dryRun, device, precision, threads, ...queueOptions }: BenchOptions,
  { signal }: World,
  output: Output,
): Promise<void> {
  if (shard !== undefined) {
    throw new TillerError(
      "option-invalid",
      "--shard is gone: start tiller worker on each machine, and tiller bench run with the same --queue and --store.",
    );
  }
  const began = performance.now();
  const fleet = fleetOf(queueOptions);
  if (detach && !fleet) throw new TillerError("queue-needed", "--detach needs a queue: name it with --queue.");
  if (detach && workers !== undefined) {
    throw new TillerError(
      "option-invalid",
      "--detach leaves the work to others and --workers starts processes that do it here: leave one of them out.",
    );
  }
  const experiment = await readExperiment(path);
  const folder = out ?? join("tiller-bench", experiment.name);
  await prepareFolder(folder);
  output.result.out = folder;
  const tell = (forecast: Forecast) => tellForecast(forecast, output);
  if (dryRun) return tell(await forecastOf(experiment, { folder, device, precision, threads, signal }));
  // Of other machines nothing is known.
  const onForecast = fleet ? undefined : tell;
  const onCompute = tellCompute(precision ?? experiment.precision, output);
  const results = await runExperiment(
    experiment,
    {
      folder,
      workers,
      fleet: fleet && { ...fleet, detach },
      device,
      precision,
      threads,
      signal,
      onCompute,
      onForecast,
    },
    tellProgress(output),
  );
  output.progress.end();
  say(results, output);
  output.result.report = await writeReport(results, folder, pageOf(results, path, folder));
  output.result.seconds = (performance.now() - began) / 1000;
  output.say(`\n${output.result.report}`);
  output.say(`${results.units.done} of ${results.units.total} units in ${shortTime(Number(output.result.seconds))}`);
}

/** The current results: other processes may have continued since results.json was written. */
async function regathered(folder: string, { device, threads }: CommonOptions): Promise<Results> {
  return gatherResults(await experimentIn(folder), folder, { device, threads });
}

/** The same, but a folder with only a results.json gives the results in it. */
async function tabulated(folder: string, options: CommonOptions): Promise<Results> {
  const begun = existsSync(join(folder, "experiment.json"));
  return (begun ? undefined : await keptResults(folder)) ?? regathered(folder, options);
}

function say(results: Results, output: Output): void {
  output.result.results = results;
  const { done, total } = results.units;
  output.say(
    results.arms.length > 0
      ? resultLines(results)
      : `No row is finished yet, with ${done} of ${total} units done: tiller bench run continues.`,
  );
}

const pageOf = ({ experiment }: Results, file: string, folder: string) => ({
  title: experiment.name,
  lead: "Personalised models under each guidance method: how close their pictures are to the subject and to the prompt.",
  commands: [`tiller bench run ${quoted(file)} --out ${quoted(folder)}`],
});
