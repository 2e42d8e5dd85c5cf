/** `tiller inspect`: describes checkpoints, adapters and pictures. */

import type { Command } from "commander";
import {
  type Amount,
  type FileInspection,
  type FolderInspection,
  type Inspection,
  inspect as inspectPath,
  type ModelMemory,
  modelMemory,
  type PictureInspection,
  type PicturesInspection,
  type Recipe,
  type RecordedPicture,
  TillerError,
} from "../index.ts";
import { memoryText, strengthText, trainingPlanText } from "../internal.ts";
import { addCommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, quoted, shortBytes, shortCount, table } from "./printable.ts";

export function addInspect(program: Command, act: (files: readonly string[]) => Promise<void>): void {
  const command = program
    .command("inspect")
    .description("describe checkpoints, adapters, embeddings or pictures")
    .argument("<file|folder...>", "model folders, .safetensors files, PNGs or folders of pictures");
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
With --json one file gives an object, several give a list.

Example:
  tiller inspect cat.safetensors
  tiller inspect tiller-out/tiller-7-pg-w0.6.png`,
    )
    .action(act);
}

/** @throws TillerError naming the first file that cannot be read or recognised. */
export async function inspect(files: readonly string[], output: Output): Promise<void> {
  const all: object[] = [];
  for (const file of files) {
    const found = await inspectPath(file);
    const repeat = found.kind === "picture" && found.recipe ? `tiller generate --from ${quoted(file)}` : undefined;
    if (all.length > 0) output.say("");
    output.say(printable(linesOf(found, repeat).join("\n")));
    const memory = found.kind === "model" ? await memoryOf(file) : undefined;
    for (const plan of memory?.drawing ?? []) output.say(memoryText(plan));
    if (memory) output.say(`training, ${trainingPlanText(memory.training)}`);
    all.push({ ...found, ...(memory && { memory }), ...(found.kind === "picture" && { repeat }) });
  }
  if (all.length === 1) Object.assign(output.result, all[0]);
  else output.list = all;
}

/** A model's plans of memory; undefined if a part is missing, which its description says. */
const memoryOf = (model: string): Promise<ModelMemory | undefined> =>
  modelMemory(model).catch((error: unknown) => {
    if (error instanceof TillerError) return undefined;
    throw error;
  });

function linesOf(found: Inspection, repeat: string | undefined): string[] {
  switch (found.kind) {
    case "model":
    case "component":
      return folderLines(found);
    case "picture":
      return pictureLines(found, repeat);
    case "pictures":
      return picturesLines(found);
    default:
      return fileLines(found);
  }
}

function folderLines({
  kind,
  name,
  class: className,
  family,
  parameters,
  bytes,
  components,
}: FolderInspection): string[] {
  const rows = components.map(({ component, class: c, weights, variants, problem }) => [
    component,
    c,
    ...(weights ? amountCells(weights) : ["", "", ""]),
    problem ?? (variants ? `also as ${variants.join(", ")}` : ""),
  ]);
  return [
    `${name}: ${kind === "model" ? "model" : "component"}, ${className}, ${family}`,
    `${shortCount(parameters)} parameters, ${shortBytes(bytes)}`,
    "",
    table([["component", "class", "parameters", "dtype", "size", ""], ...rows]),
  ];
}

function fileLines(report: FileInspection): string[] {
  const { file, metadata, tensors, parameters, bytes } = report;
  const fits = "family" in report && report.family !== undefined ? ` for ${report.family}` : "";
  const amount = `${tensors} tensors, ${shortCount(parameters)} parameters, ${shortBytes(bytes)}, ${dtypesOf(report)}`;
  const facts = Object.entries(metadata).map(([key, value]) => `  ${key}: ${clipped(value)}`);
  return [...told(report, file, fits), amount, ...(facts.length > 0 ? ["", "metadata", ...facts] : [])];
}

/** The kind of file, and the table of its parts. */
function told(report: FileInspection, file: string, fits: string): string[] {
  switch (report.kind) {
    case "lora":
      return [
        `${file}: ${report.kinds.join(", ") || "LoRA"}${fits}, ${report.format} form, ${report.modules} modules${report.ranks.length > 0 ? `, rank ${report.ranks.join(", ")}` : ""}`,
        ...(report.tokens.length > 0 ? [`bundled learned tokens: ${report.tokens.join(", ")}`] : []),
        ...report.obstacles.map((obstacle) => `not supported: ${obstacle}`),
        "",
        table([
          ["part", "group", "modules", "rank", "alpha", "parameters"],
          ...report.groups.map(({ part, group, modules, ranks, alphas, parameters }) => [
            part,
            group,
            String(modules),
            ranks.join(", "),
            alphas.length === 0
              ? ranks.length === 0
                ? ""
                : "= rank"
              : alphas.map((alpha) => Number(alpha.toPrecision(4))).join(", "),
            shortCount(parameters),
          ]),
        ]),
        "",
      ];
    case "custom-diffusion":
      return [`${file}: Custom Diffusion${fits}, ${report.matrices} matrices (${report.parts.join(", ")})`];
    case "textual-inversion":
      return [
        `${file}: textual inversion${fits}`,
        "",
        table([
          ["token", "vectors", "width"],
          ...report.tokens.map(({ token, vectors, width }) => [token, String(vectors), String(width)]),
        ]),
        "",
      ];
    case "single-file model":
      return [
        `${file}: single-file model, ${report.family}${report.predicts === undefined ? "" : `, predicts ${report.predicts}`}`,
        "",
        table([
          ["part", "parameters", "dtype", "size"],
          ...report.parts.map(({ part, ...amount }) => [part, ...amountCells(amount)]),
        ]),
        "",
      ];
    case "tensors":
      return [
        `${file}: ${report.looksLike ?? "unknown tensors"}`,
        "",
        table(report.first.map(({ key, shape, dtype }) => [key, `[${shape.join(", ")}]`, dtype])),
        ...(report.tensors > report.first.length ? [`and ${report.tensors - report.first.length} more`] : []),
        "",
      ];
  }
}

function pictureLines(
  { file, width, height, recipe, parameters }: PictureInspection,
  repeat: string | undefined,
): string[] {
  const head = `${file}: picture, ${width} x ${height}`;
  if (!recipe) return [head, ...(parameters === undefined ? ["no recipe"] : ["parameters", parameters])];
  return [head, "", table(recipeRows(recipe)), "", `Again: ${repeat}`];
}

function picturesLines({ folder, pictures, captions, warnings }: PicturesInspection): string[] {
  const count = pictures === 1 ? "1 picture" : `${pictures} pictures`;
  return [`${folder}: ${count}, ${captions} with a caption`, ...warnings];
}

function recipeRows({ tiller, model, base, variant, config, prediction, adapters, request }: Recipe): string[][] {
  const given = Object.entries({ model, base, variant, config, prediction }).filter(([, value]) => value !== undefined);
  return [
    ["made by", `Tiller ${tiller}`],
    ...(given as string[][]),
    ...adapters.map(({ file, strength }) => ["adapter", `${file}:${strengthText(strength)}`]),
    ...Object.entries(request).map(([key, value]) => [key, shownSetting(value)]),
  ];
}

/** A setting in one line; of a picture that the recipe starts from, the file and the beginning of its hash. */
function shownSetting(value: Recipe["request"][keyof Recipe["request"]] | RecordedPicture): string {
  if (typeof value !== "object") return String(value).replaceAll("\n", "\\n");
  if ("width" in value) return `${value.width}x${value.height}`;
  if ("left" in value) return `${value.left},${value.top}`;
  return `${value.file ?? "passed as pixels"} (SHA-256 ${value.sha256.slice(0, 12)}…)`;
}

function amountCells(amount: Amount): string[] {
  return [shortCount(amount.parameters), dtypesOf(amount), shortBytes(amount.bytes)];
}

/** The dtypes, most frequent first. */
function dtypesOf({ dtypes }: Amount): string {
  return Object.entries(dtypes)
    .sort(([, a], [, b]) => b - a)
    .map(([dtype]) => dtype)
    .join(", ");
}

function clipped(value: string): string {
  const line = value.replace(/\s+/g, " ");
  return line.length > 160 ? `${line.slice(0, 157)}...` : line;
}
