/** `tiller bench findings`: the paper's findings, each held, contradicted or undecided. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import {
  type ClaimResult,
  type Findings,
  findingsAtHand,
  type PlannedExperiment,
  planFindings,
  runFindings,
} from "../experiments/index.ts";
import { metrics, TillerError } from "../index.ts";
import { tellCompute, tellProgress } from "./experiment-output.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { shortTime, table } from "./printable.ts";
import { parseWorkers } from "./values.ts";
import type { World } from "./world.ts";

export interface FindingsOptions extends CommonOptions {
  out: string;
  results?: string[];
  workers?: number;
  dryRun?: true;
  atHand?: true;
}

const shipped = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export function addFindings(
  bench: Command,
  act: (path: string | undefined, options: FindingsOptions) => Promise<void>,
): void {
  const command = bench
    .command("findings")
    .description("decide the paper's findings: held, contradicted or undecided; draws what is missing")
    .argument("[findings.json]", "claims about rows of experiments, with their margins; default: the paper's seven")
    .option("--out <folder>", "where missing results are made; a stopped run goes on there", "tiller-bench/findings")
    .option(
      "--results <folder>",
      "earlier results, NAME/results.json for each experiment; repeatable; default: results/ of the repository",
      (text, before: string[] = []) => [...before, text],
    )
    .option("--workers <n>", "processes of this machine that share the work; default: 1", parseWorkers)
    .option("--at-hand", "decide with the results at hand, and draw nothing")
    .option("--dry-run", "only say how many pictures and hours are missing on this machine");
  addCommonOptions(command).action(act);
}

export async function findings(
  path: string | undefined,
  { out, results, workers, dryRun, atHand, device, precision, threads }: FindingsOptions,
  { signal }: World,
  output: Output,
): Promise<void> {
  if (dryRun && atHand)
    throw new TillerError("option-invalid", "--dry-run and --at-hand exclude each other: give one of them.");
  const request = {
    file: path ?? shipped("experiments/findings.json"),
    results: results ?? [shipped("results")].filter(existsSync),
  };
  await prepareFolder(out);
  if (atHand) {
    tell(await findingsAtHand(request, out), output);
    output.say(`\n${join(out, "findings.json")}`);
    return;
  }
  const options = {
    folder: out,
    workers,
    device,
    precision,
    threads,
    signal,
    onCompute: tellCompute(precision, output),
  };
  const plan = await planFindings(request, options);
  output.result.plan = plan;
  output.say(planLines(plan));
  if (dryRun) return;
  const began = performance.now();
  const found = await runFindings(request, options, tellProgress(output));
  output.progress.end();
  tell(found, output);
  output.result.seconds = (performance.now() - began) / 1000;
  output.say(`\n${join(out, "findings.json")}\n${shortTime(Number(output.result.seconds))}`);
}

function planLines(plan: readonly PlannedExperiment[]): string {
  if (plan.length === 0) return "All results are at hand.\n";
  const total = (of: (one: PlannedExperiment) => number) => plan.reduce((sum, one) => sum + of(one), 0);
  const row = (name: string, adapters: number, pictures: number, hours: number) => [
    name,
    String(adapters),
    String(pictures),
    hours.toFixed(1),
  ];
  return `${table([
    ["still missing", "adapters", "pictures", "hours in one process"],
    ...plan.map(({ name, adapters, pictures, hours }) => row(name, adapters, pictures, hours)),
    row(
      "all",
      total(({ adapters }) => adapters),
      total(({ pictures }) => pictures),
      total(({ hours }) => hours),
    ),
  ])}\n`;
}

function tell(found: Findings, output: Output): void {
  Object.assign(output.result, found);
  for (const { number, says, verdict, from, claims } of found.findings) {
    output.say(`${number}. ${says}: ${verdict}${from.length > 0 ? ` (${from.join(", ")})` : ", no results at hand"}`);
    if (claims.length > 0) output.say(`${table([heads, ...claims.map(claimRow)]).replace(/^/gm, "   ")}\n`);
  }
  output.say(
    "Verdicts on findings are corrected for their number by Holm's method, so that any of them is wrong with at most 5 %;\nthe last column is each claim's own, not corrected. Intervals are 95 %, paired over concepts, prompts and seeds.",
  );
}

const heads = [
  "claim",
  "metric",
  "effect",
  "claimed",
  "paper",
  "concepts",
  "pictures",
  "smallest seen",
  "alone",
  "to decide",
];

function claimRow(claim: ClaimResult): string[] {
  const { says, metric, claimed, effect, published, concepts, pictures, smallestSeen, alone, needs } = claim;
  const [mean, low, high] = [effect.mean, effect.low, effect.high].map(signed);
  return [
    says,
    metrics.find(({ name }) => name === metric)!.label,
    `${mean} [${low}, ${high}]`,
    claimed.is === "within" ? `within ${claimed.margin}` : `${claimed.is} 0`,
    published === undefined ? "" : signed(published),
    String(concepts),
    String(pictures),
    smallestSeen.toFixed(3),
    alone,
    needs ? needed(needs) : "",
  ];
}

function needed({ timesPrompts, timesConcepts }: NonNullable<ClaimResult["needs"]>): string {
  const ways = [
    ...(timesPrompts === undefined ? [] : [`${timesPrompts}x prompts`]),
    ...(timesConcepts === undefined ? [] : [`${timesConcepts}x concepts`]),
  ];
  return ways.length > 0 ? ways.join(" or ") : "over 1000x concepts";
}

const signed = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
