/** `tiller eval`: how close a folder of pictures is to its subject and to its texts. */

import type { Command } from "commander";
import {
  type EncoderModels,
  type EvaluationRequest,
  embeddedModel,
  evaluate as evaluatePictures,
  evaluationProtocols,
  type MetricName,
  metricNames,
  metrics,
  type Scores,
  TillerError,
  usualMetrics,
} from "../index.ts";
import { chosenEncoders, encodersOf, metricLabels } from "../internal.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, table } from "./printable.ts";
import { optionOf, parseChoice } from "./values.ts";
import type { World } from "./world.ts";

type EvalOptions = CommonOptions &
  EncoderModels &
  Partial<Pick<EvaluationRequest, "images" | "references" | "prompts" | "prompt" | "token" | "metrics" | "protocol">>;

/** A metric's name on the command line: clip-i. */
const wordOf = (name: string): string => optionOf(name).replace(/^--/, "");

export function addEval(program: Command, act: (options: EvalOptions) => Promise<void>): void {
  const command = program
    .command("eval")
    .description(
      `measure pictures: ${metricLabels("subject")} against reference pictures of the subject, ${metricLabels("text")} against the text`,
    )
    .option("--images <folder>", "the pictures; texts come from their recipes or .txt files beside them")
    .option("--references <folder>", `reference pictures, for ${metricLabels("subject", metricNames)}`)
    .option(
      "--metrics <names>",
      `what to measure, separated by commas; default: ${usualMetrics.map(wordOf).join(",")}. ${metrics.map(({ name, help }) => `${wordOf(name)}: ${help}`).join(". ")}.`,
      parseMetrics,
    )
    .option(
      "--prompts <file>",
      "the pictures' texts: one line each in the order of their names, or a .json object by name",
    )
    .option("--prompt <text>", "the text for pictures without one")
    .option("--token <word>", "the subject's token, left out of the texts because CLIP does not know it")
    .option("--protocol <name>", `preprocessing of pictures: ${evaluationProtocols.join(", ")}`, (text) =>
      parseChoice("--protocol", text, evaluationProtocols),
    );
  for (const { name, help, usual } of chosenEncoders)
    command.option(`--${name} <model>`, `${help}${usual === undefined ? "" : "; default: dinghy's"}`);
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Example:
  tiller eval --images tiller-out --references my-cat --token sks`,
    )
    .action(act);
}

export async function evaluate(options: EvalOptions, { signal }: World, output: Output): Promise<void> {
  const { images, references, prompts, prompt, token, protocol, device, precision, threads } = options;
  const { metrics: names = usualMetrics } = options;
  if (images === undefined)
    throw new TillerError("option-missing", "--images is missing: name the folder of pictures to measure.");
  const models = Object.fromEntries(chosenEncoders.map(({ name }) => [name, options[name]]));
  const onDownload: EvaluationRequest["onDownload"] = ({ file, received, total }) =>
    output.progress.downloading(`downloading ${file}`, received, total);
  const request = {
    images,
    references,
    prompts,
    prompt,
    token,
    metrics: names,
    ...models,
    protocol,
    device,
    precision,
    threads,
    signal,
    onDownload,
  };
  const result = await evaluatePictures(request, (done, total) =>
    output.progress.doing("measuring", done / total, `picture ${done} of ${total}`),
  );
  output.progress.end();
  const encoders = Object.fromEntries(
    encodersOf(names).map(({ name }) => [name, (models as Record<string, string | undefined>)[name] ?? embeddedModel]),
  );
  const { warnings, ...measured } = result;
  for (const warning of warnings) output.warn(warning);
  Object.assign(output.result, measured, { protocol: protocol ?? evaluationProtocols[0], encoders });
  for (const { dropped } of result.prompts) {
    if (dropped !== undefined) output.warn(`a prompt is too long for the text encoder; cut off: "${dropped}"`);
  }
  const shown = metrics.filter(({ name }) => names.includes(name));
  const row = (name: string, pictures: number, scores: Scores) => [
    name === "" ? "(no text)" : printable(name).replaceAll("\n", " "),
    String(pictures),
    ...shown.map((metric) => scores[metric.name]!.toFixed(4)),
  ];
  output.say(
    table([
      ["prompt", "pictures", ...shown.map(({ label }) => label)],
      ...result.prompts.map(({ text, pictures, scores }) => row(text, pictures, scores)),
      row("mean over prompts", result.pictures.length, result.scores),
    ]),
  );
  if (Object.values(encoders).includes(embeddedModel)) {
    output.say(
      "\nmeasured with dinghy's own encoders, which only know its drawn world; choose others with --clip and --dino",
    );
  }
}

/** @throws TillerError naming a name that no metric has. */
function parseMetrics(text: string): MetricName[] {
  const names = text.split(",").map((name) => parseChoice("--metrics", name.trim(), metricNames.map(wordOf)));
  return metricNames.filter((name) => names.includes(wordOf(name)));
}
