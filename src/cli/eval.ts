/** `tiller eval`: how close a folder of pictures is to its subject and to its texts. */

import type { Command } from "commander";
import {
  type EvaluationRequest,
  embeddedModel,
  evaluate as evaluatePictures,
  evaluationProtocols,
  metrics,
  type Scores,
  TillerError,
} from "../index.ts";
import { metricLabels } from "../internal.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, table } from "./printable.ts";
import { parseChoice } from "./values.ts";
import type { World } from "./world.ts";

type EvalOptions = CommonOptions &
  Partial<
    Pick<EvaluationRequest, "images" | "references" | "prompts" | "prompt" | "token" | "clip" | "dino" | "protocol">
  >;

export function addEval(program: Command, act: (options: EvalOptions) => Promise<void>): void {
  const command = program
    .command("eval")
    .description(
      `measure pictures of a subject: ${metricLabels("subject")} against reference pictures, ${metricLabels("text")} against the text`,
    )
    .option("--images <folder>", "the pictures; texts come from their recipes or .txt files beside them")
    .option("--references <folder>", "reference pictures of the subject")
    .option(
      "--prompts <file>",
      "the pictures' texts: one line each in the order of their names, or a .json object by name",
    )
    .option("--prompt <text>", "the text for pictures without one")
    .option("--token <word>", "the subject's token, left out of the texts because CLIP does not know it")
    .option("--protocol <name>", `preprocessing of pictures: ${evaluationProtocols.join(", ")}`, (text) =>
      parseChoice("--protocol", text, evaluationProtocols),
    )
    .option("--clip <model>", "a CLIP folder or hub id, such as openai/clip-vit-base-patch32; default: dinghy's")
    .option("--dino <model>", "a ViT folder or hub id, such as facebook/dino-vits16; default: dinghy's");
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
  const { images, references, prompts, prompt, token, clip, dino, protocol, device, precision, threads } = options;
  if (images === undefined)
    throw new TillerError("option-missing", "--images is missing: name the folder of pictures to measure.");
  if (references === undefined)
    throw new TillerError(
      "option-missing",
      "--references is missing: name the folder of reference pictures of the subject.",
    );
  const onDownload: EvaluationRequest["onDownload"] = ({ file, received, total }) =>
    output.progress.downloading(`downloading ${file}`, received, total);
  const request = {
    images,
    references,
    prompts,
    prompt,
    token,
    clip,
    dino,
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
  const encoders = { clip: clip ?? embeddedModel, dino: dino ?? embeddedModel };
  const { warnings, ...measured } = result;
  for (const warning of warnings) output.warn(warning);
  Object.assign(output.result, measured, { protocol: protocol ?? evaluationProtocols[0], encoders });
  for (const { dropped } of result.prompts) {
    if (dropped !== undefined) output.warn(`a prompt is too long for CLIP; cut off: "${dropped}"`);
  }
  const row = (name: string, pictures: number, scores: Scores) => [
    printable(name).replaceAll("\n", " "),
    String(pictures),
    ...metrics.map((metric) => scores[metric.name].toFixed(4)),
  ];
  output.say(
    table([
      ["prompt", "pictures", ...metrics.map(({ label }) => label)],
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
