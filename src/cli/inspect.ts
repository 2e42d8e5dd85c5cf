/** `tiller inspect`: what a checkpoint, an adapter or a picture holds. */

import { open, stat } from "node:fs/promises";
import type { Command } from "commander";
import { type Recipe, readPicture, TillerError } from "../index.ts";
import { describeFile, type FileReport } from "./inspect-file.ts";
import { describeFolder, type FolderReport } from "./inspect-folder.ts";
import type { Amount } from "./inspect-tensors.ts";
import { addCommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, quoted, shortBytes, shortCount, table } from "./printable.ts";

export function addInspect(program: Command, act: (file: string) => Promise<void>): void {
  const command = program
    .command("inspect")
    .description("tell what a checkpoint, adapter, embedding or picture holds")
    .argument("<file|folder>", "a model's folder, a .safetensors file, or a PNG");
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Example:
  tiller inspect cat.safetensors
  tiller inspect tiller-out/tiller-7-pg-w0.6.png`,
    )
    .action(act);
}

/** @throws TillerError if the file or folder cannot be read, or is none of these. */
export async function inspect(file: string, output: Output): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found) throw new TillerError("file-missing", `${file} does not exist.`, { paths: [file] });
  const say = (lines: readonly string[]) => output.say(printable(lines.join("\n")));
  if (found.isDirectory()) {
    const report = await describeFolder(file);
    Object.assign(output.result, report);
    say(folderLines(report));
  } else if (await isPicture(file)) {
    const picture = await readPicture(file);
    const repeat = picture.recipe ? `tiller generate --from ${quoted(file)}` : undefined;
    Object.assign(output.result, { kind: "picture", file, ...picture, repeat });
    say(pictureLines(file, picture, repeat));
  } else {
    const report = await describeFile(file);
    Object.assign(output.result, report);
    say(fileLines(report));
  }
}

/** By its first bytes, or by its name, so that a damaged picture is called one. */
async function isPicture(file: string): Promise<boolean> {
  if (/\.(jpe?g|webp|gif|avif)$/i.test(file)) {
    throw new TillerError("recipe-missing", `${file} has no recipe: only PNG pictures carry one.`, { paths: [file] });
  }
  if (/\.png$/i.test(file)) return true;
  if (!(await stat(file)).isFile()) return false;
  const handle = await open(file).catch(() => undefined);
  try {
    // What cannot be read is no picture; why is said below.
    const { buffer } = (await handle?.read(Buffer.alloc(4), 0, 4, 0).catch(() => undefined)) ?? {};
    return buffer?.toString("latin1") === "\x89PNG";
  } finally {
    await handle?.close();
  }
}

function folderLines({ kind, name, class: className, family, parameters, bytes, components }: FolderReport): string[] {
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

function fileLines(report: FileReport): string[] {
  const { file, metadata, tensors, parameters, bytes } = report;
  const fits = "family" in report && report.family !== undefined ? ` for ${report.family}` : "";
  const amount = `${tensors} tensors, ${shortCount(parameters)} parameters, ${shortBytes(bytes)}, ${dtypesOf(report)}`;
  const facts = Object.entries(metadata).map(([key, value]) => `  ${key}: ${clipped(value)}`);
  return [...told(report, file, fits), amount, ...(facts.length > 0 ? ["", "metadata", ...facts] : [])];
}

/** What kind of file it is, and the table of its parts. */
function told(report: FileReport, file: string, fits: string): string[] {
  switch (report.kind) {
    case "lora":
      return [
        `${file}: LoRA${fits}, ${report.format} form, ${report.modules} modules, rank ${report.ranks.join(", ")}`,
        ...report.obstacles.map((obstacle) => `not for Tiller: ${obstacle}`),
        "",
        table([
          ["part", "group", "modules", "rank", "alpha", "parameters"],
          ...report.groups.map(({ part, group, modules, ranks, alphas, parameters }) => [
            part,
            group,
            String(modules),
            ranks.join(", "),
            alphas.length === 0 ? "= rank" : alphas.map((alpha) => Number(alpha.toPrecision(4))).join(", "),
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
        `${file}: single-file model, ${report.family}`,
        "",
        table([
          ["part", "parameters", "dtype", "size"],
          ...report.parts.map(({ part, ...amount }) => [part, ...amountCells(amount)]),
        ]),
        "",
      ];
    case "tensors":
      return [
        `${file}: ${report.looksLike ?? "tensors of no kind that Tiller knows"}`,
        "",
        table(report.first.map(({ key, shape, dtype }) => [key, `[${shape.join(", ")}]`, dtype])),
        ...(report.tensors > report.first.length ? [`and ${report.tensors - report.first.length} more`] : []),
        "",
      ];
  }
}

function pictureLines(
  file: string,
  { width, height, recipe, parameters }: Awaited<ReturnType<typeof readPicture>>,
  repeat: string | undefined,
): string[] {
  const head = `${file}: picture, ${width} x ${height}`;
  if (!recipe) return [head, ...(parameters === undefined ? ["no recipe"] : ["parameters", parameters])];
  return [head, "", table(recipeRows(recipe)), "", `Again: ${repeat}`];
}

function recipeRows({ tiller, model, base, variant, config, adapters, request }: Recipe): string[][] {
  const given = Object.entries({ model, base, variant, config }).filter(([, value]) => value !== undefined);
  return [
    ["made by", `Tiller ${tiller}`],
    ...(given as string[][]),
    ...adapters.map(({ file, strength }) => ["adapter", `${file}:${strength}`]),
    ...Object.entries(request).map(([key, value]) => [key, String(value).replaceAll("\n", "\\n")]),
  ];
}

function amountCells(amount: Amount): string[] {
  return [shortCount(amount.parameters), dtypesOf(amount), shortBytes(amount.bytes)];
}

/** The dtype, or all of them, the most frequent first. */
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
