/** `tiller sweep`: the same prompt under many settings, side by side. */

import type { Command } from "commander";
import {
  type FullRequest,
  guidanceNames,
  type Pixels,
  type Recipe,
  samplerNames,
  TillerError,
  version,
} from "../index.ts";
import {
  comparable,
  completed,
  type SettingName,
  settingNames,
  settingOf,
  shortName,
  stepsOf,
  strengthText,
  toldOf,
  type UsualSettings,
  writeNew,
} from "../internal.ts";
import type { ContactSheet } from "../node.ts";
import { drawingPace, type MadePicture, makePictures } from "./make-pictures.ts";
import {
  addCommonOptions,
  addPictureOptions,
  chooseModel,
  givenRequest,
  type ModelChoice,
  type PictureOptions,
  recipeFrom,
  requestOf,
} from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { shortTime } from "./printable.ts";
import { parseNumbers, parseWholes } from "./ranges.ts";
import { withPipeline } from "./session.ts";
import { addSettingOptions, methodHelp, methodsWith, warnOfIdle } from "./setting-options.ts";
import { type Axes, axisText, planSweep, type Setting, type SweepPlan } from "./sweep-plan.ts";
import { parseChoice } from "./values.ts";
import type { LoadedPipeline, World } from "./world.ts";

type SweepOptions = PictureOptions & { [K in keyof Axes]?: Axes[K] };

export function addSweep(program: Command, act: (options: SweepOptions) => Promise<void>): void {
  const numbers = (option: string) => (text: string) => parseWholes(option, text);
  const names =
    <T extends string>(option: string, choices: readonly T[]) =>
    (text: string) => [...new Set(text.split(",").map((part) => parseChoice(option, part.trim(), choices)))];
  const command = program
    .command("sweep")
    .description("make pictures with every combination of settings, and a labelled contact sheet");
  addPictureOptions(command).option(
    "--guidance <methods>",
    `a list of ${guidanceNames.join(", ")}; default: pg with an adapter, else cfg`,
    names("--guidance", guidanceNames),
  );
  addSettingOptions(command, "list")
    .option("--sampler <names>", `a list of ${samplerNames.join(", ")}`, names("--sampler", samplerNames))
    .option("--steps <list>", "a list of step counts", numbers("--steps"))
    .option(
      "--strength <list>",
      "a list of how much of --image to give up, above 0 to 1; default: 0.8, with --mask 1",
      (text) => parseNumbers("--strength", text),
    )
    .option("--seed <list>", "a list of seeds; with --count, that many from each", numbers("--seed"));
  addCommonOptions(command)
    .addHelpText(
      "after",
      `${methodHelp()}

A list is 5,7.5,10, a range first:last:step such as 0:1:0.1, or a mix of both; put semicolons between
omegas if one is by part. Combinations that make no difference are skipped: omega only varies under
${methodsWith("omega")}. The --out folder gets the pictures, sheet.png and sweep.json.

Example:
  tiller sweep --model ./sd15 --adapter cat.safetensors --prompt "a sks cat in the snow" \\
               --guidance cfg,pg --omega 0:1:0.2 --seed 0:3`,
    )
    .action(act);
}

export async function sweep(options: SweepOptions, world: World, output: Output): Promise<void> {
  const began = performance.now();
  const recipe = await recipeFrom(options);
  const choice = chooseModel(options, recipe);
  const base = await givenRequest({ ...options, count: 1 });
  const planned = (usual: UsualSettings) => {
    const axes = axesOf(options, recipe, usual);
    const plan = planSweep(axes, usual);
    const requests = plan.settings.map((setting) =>
      completed(requestOf({ ...base, ...setting, seed: plan.seeds[0] }, recipe), usual),
    );
    return { axes, plan, requests };
  };
  // Checks the axes before loading the model; these stand in for its defaults.
  const guidance = choice.load.adapters.length > 0 || choice.load.base !== undefined ? "pg" : "cfg";
  planned({ guidance, sampler: "ddim", steps: 50, scale: 1, omega: 1 });
  await prepareFolder(options.out);
  const { width, height } = base;
  await withPipeline(choice, options, world, output, { width, height }, async (pipeline) => {
    const { axes, plan, requests } = planned(pipeline.defaults);
    warnOfIdle(options, axes.guidance, output);
    await makeSweep(pipeline, { plan, requests, choice, began }, options, world, output);
  });
}

interface PlannedSweep {
  readonly plan: SweepPlan;
  /** For each of the plan's settings. */
  readonly requests: readonly FullRequest[];
  readonly choice: ModelChoice;
  /** When the command began, by `performance.now`. */
  readonly began: number;
}

/** Makes the pictures, the sheet and the record; after an interruption or failure, of the pictures so far. */
async function makeSweep(
  pipeline: LoadedPipeline,
  { plan, requests, choice, began }: PlannedSweep,
  { out }: SweepOptions,
  world: World,
  output: Output,
): Promise<void> {
  const made: (MadePicture & { row: number; column: number })[] = [];
  Object.assign(output.result, { model: choice.model, out, pictures: made });
  const sheet = lazySheet(plan, choice, requests[0]!);
  const runs = consecutive(plan.seeds);
  const total = plan.settings.length * plan.seeds.length;
  const pace = drawingPace(requests.reduce((sum, one) => sum + stepsOf(one), 0) * plan.seeds.length);
  let stepsBefore = 0;
  try {
    for (const [s, request] of requests.entries()) {
      for (const { first, length, at } of runs) {
        const asked: FullRequest = { ...request, seed: first, count: length };
        await makePictures(
          pipeline,
          asked,
          {
            folder: out,
            naming: plan.varied.filter((axis) => axis !== "guidance"),
            steps: { before: stepsBefore, pace },
            pictures: { before: made.length, total },
            async onPicture(picture, pixels, index) {
              const [row, column] = plan.place(s, at + index);
              await sheet.place(row, column, pixels);
              made.push({ ...picture, row, column });
            },
          },
          world,
          output,
        );
        stepsBefore += stepsOf(request) * length;
      }
    }
  } finally {
    if (made.length > 0) await writeResults();
  }

  async function writeResults() {
    output.result.sheet = await writeNew(out, "sheet", "png", await sheet.render());
    output.result.complete = made.length === total;
    output.result.seconds = (performance.now() - began) / 1000;
    const { sheet: file, complete, seconds } = output.result;
    const record = { tiller: version, complete, seconds, sheet: file, axes: variedAxes(plan), pictures: made };
    const json = Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
    output.result.record = await writeNew(out, "sweep", "json", json);
    const count = made.length === 1 ? "1 picture" : `${made.length} pictures`;
    output.say(`${file}\n${output.result.record}`);
    output.say(`${count} in ${out} in ${shortTime(Number(seconds))}, loading included`);
  }
}

/** The given lists; other settings come from the recipe or the model. */
function axesOf(options: SweepOptions, recipe: Recipe | undefined, usual: UsualSettings): Axes {
  const defaults = completed(requestOf({ prompt: "" }, recipe), usual);
  const guidance = options.guidance ?? [defaults.guidance];
  const firsts = options.seed ?? [defaults.seed];
  const { count = 1 } = options;
  if (firsts.length * count > 10_000)
    throw new TillerError("too-many-pictures", `--count ${count} is too large: the limit is 10000 pictures.`);
  for (const seed of firsts) requestOf({ prompt: "", seed, count }, recipe);
  const seeds = firsts.flatMap((seed) => Array.from({ length: count }, (_, i) => seed + i));
  // A recipe's scale is used only for methods to which it means the same.
  const kept = (name: SettingName) =>
    recipe && guidance.every((one) => !settingOf(one, name) || comparable(name, defaults.guidance, one))
      ? defaults[name]
      : undefined;
  const lists = settingNames.map((name) => {
    const value = kept(name);
    return [name, options[name] ?? (value === undefined ? [] : [value])] as const;
  });
  return {
    guidance,
    ...(Object.fromEntries(lists) as Pick<Axes, SettingName>),
    strength: options.strength ?? (recipe?.request.strength === undefined ? [] : [recipe.request.strength]),
    sampler: options.sampler ?? [defaults.sampler],
    steps: options.steps ?? [defaults.steps],
    seed: [...new Set(seeds)],
  };
}

/** A sheet whose cells take their shape from the first picture. */
function lazySheet(plan: SweepPlan, choice: ModelChoice, request: FullRequest) {
  let sheet: ContactSheet | undefined;
  return {
    async place(row: number, column: number, picture: Pixels): Promise<void> {
      // Loaded here: it brings native packages.
      const { createContactSheet } = await import("../node.ts");
      const { width, height } = picture;
      const subtitle = subtitleOf(plan, choice, request, picture);
      sheet ??= createContactSheet({ ...plan.sheet, title: request.prompt, subtitle, picture: { width, height } });
      return sheet.place(row, column, picture);
    },
    render: (): Promise<Uint8Array> => sheet!.render(),
  };
}

/** The settings that all pictures share. */
function subtitleOf(plan: SweepPlan, choice: ModelChoice, request: FullRequest, { width, height }: Pixels): string {
  const varies = (axis: keyof Setting) => (plan.varied as readonly string[]).includes(axis);
  const { guidance, sampler, steps, strength } = request;
  const told = varies("guidance") ? {} : toldOf(guidance, request);
  return [
    shortName(choice.model),
    ...choice.load.adapters.map(({ file, strength }) => `${shortName(file)} ${strengthText(strength ?? 1)}`),
    ...(varies("guidance") || varies("scale") ? [] : [guidance]),
    ...settingNames.flatMap((name) => (name in told && !varies(name) ? [axisText(name, told[name]!)] : [])),
    ...(varies("sampler") ? [] : [request.karras ? `${sampler} karras` : sampler]),
    ...(varies("steps") ? [] : [`${steps} steps`]),
    ...(strength === undefined || varies("strength") ? [] : [`strength ${strength}`]),
    ...(plan.seeds.length === 1 ? [`seed ${plan.seeds[0]}`] : []),
    `${width} × ${height}`,
  ].join(" · ");
}

/** The values of each axis that has several. */
function variedAxes({ settings, seeds, varied }: SweepPlan): Record<string, unknown[]> {
  const axes: Record<string, unknown[]> = {};
  for (const axis of varied) {
    axes[axis] = [...new Set(settings.map((setting) => setting[axis]).filter((value) => value !== undefined))];
  }
  if (seeds.length > 1) axes.seed = [...seeds];
  return axes;
}

/** Groups consecutive seeds into one request. */
function consecutive(seeds: readonly number[]): { first: number; length: number; at: number }[] {
  const runs: { first: number; length: number; at: number }[] = [];
  for (const [at, seed] of seeds.entries()) {
    const last = runs.at(-1);
    if (last && seed === last.first + last.length) last.length++;
    else runs.push({ first: seed, length: 1, at });
  }
  return runs;
}
