/** `tiller generate`: draws pictures from a prompt. */

import type { Command } from "commander";
import {
  type GuidanceName,
  guidanceNames,
  type Recipe,
  type SamplerName,
  samplerNames,
  TillerError,
} from "../index.ts";
import { completed, everyThird, type GivenSettings, stepsOf } from "../internal.ts";
import { drawingPace, type MadePicture, makePictures } from "./make-pictures.ts";
import {
  addCommonOptions,
  addPictureOptions,
  chooseModel,
  givenRequest,
  type PictureOptions,
  parseGuidance,
  parseSampler,
  recipeFrom,
  requestOf,
} from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { shortTime } from "./printable.ts";
import { withPipeline } from "./session.ts";
import { addSettingOptions, givenSettings, methodHelp, warnOfIdle } from "./setting-options.ts";
import { optionOf, parseNumber, parseWhole } from "./values.ts";
import type { LoadedPipeline, World } from "./world.ts";

export interface GenerateOptions extends PictureOptions, GivenSettings {
  guidance?: GuidanceName;
  sampler?: SamplerName;
  steps?: number;
  seed?: number;
  strength?: number;
  preview?: number;
  everyThird?: true;
}

export function addGenerate(program: Command, act: (options: GenerateOptions) => Promise<void>): void {
  const command = program.command("generate").description("make pictures from a prompt");
  addDrawingOptions(command)
    .addHelpText(
      "after",
      `${methodHelp()}

Example:
  tiller generate --model ./sd15 --adapter cat.safetensors:0.9 --prompt "a sks cat in the snow" \\
                  --omega 0.3 --seed 7 --count 4
  tiller generate --from tiller-out/tiller-7-pg-w0.6.png --omega 0.3
  tiller generate --image photo.jpg --mask mask.png --prompt "a red hat"`,
    )
    .action((options: GenerateOptions) => act(withEveryThird(options)));
}

/** The options of commands that draw one request. */
export function addDrawingOptions(command: Command): Command {
  addPictureOptions(command).option(
    "--guidance <method>",
    `${guidanceNames.join(", ")}; default: pg with an adapter, else cfg`,
    parseGuidance,
  );
  addSettingOptions(command, "one")
    .option(
      "--every-third",
      "a third fewer evaluations; with pg and 20 steps measured as good as all. Same as --guidance-every 3 --guidance-between extrapolated",
    )
    .option("--sampler <name>", `${samplerNames.join(", ")}; default: the model's, usually ddim`, parseSampler)
    .option("--steps <n>", "sampler steps; default: the model's, usually 50", (text) => parseWhole("--steps", text))
    .option("--seed <n>", "first seed; gives the same noise as Diffusers on the CPU; default: 0", (text) =>
      parseWhole("--seed", text),
    )
    .option(
      "--strength <share>",
      "how much of --image to give up, above 0 to 1: so much of the steps is drawn; default: 0.8, with --mask 1",
      (text) => parseNumber("--strength", text),
    )
    .option("--preview <n>", "also write a preview every n steps, to previews/", (text) =>
      parseWhole("--preview", text, 1),
    );
  return addCommonOptions(command);
}

/** @throws TillerError if one of the options that it stands for is also given. */
export function withEveryThird({ everyThird: asked, ...options }: GenerateOptions): GenerateOptions {
  if (!asked) return options;
  for (const name of Object.keys(everyThird) as (keyof typeof everyThird)[]) {
    if (options[name] !== undefined) {
      throw new TillerError("option-invalid", `--every-third also sets ${optionOf(name)}: leave one of them out.`);
    }
  }
  return { ...options, ...everyThird };
}

/** @param check Refuses a model that the command is not for. */
export async function generate(
  options: GenerateOptions,
  world: World,
  output: Output,
  check: (pipeline: LoadedPipeline, model: string) => void = () => {},
): Promise<void> {
  const began = performance.now();
  const recipe = await recipeFrom(options);
  const { guidance, sampler, steps, seed, strength } = options;
  const given = requestOf(
    { ...(await givenRequest(options)), guidance, ...givenSettings(options), sampler, steps, seed, strength },
    recipe,
  );
  const choice = chooseModel(options, recipe);
  await prepareFolder(options.out);

  const made: MadePicture[] = [];
  Object.assign(output.result, { model: choice.model, out: options.out, pictures: made });
  const { width, height, count } = given;
  const drawing = { width, height, count, guidance: given.guidance, image: given.image };
  await withPipeline(choice, options, world, output, drawing, async (pipeline) => {
    check(pipeline, choice.model);
    const request = completed(given, pipeline.defaults);
    warnOfIdle(options, [request.guidance], output);
    const pace = drawingPace(stepsOf(request) * request.count);
    await makePictures(
      pipeline,
      request,
      {
        folder: options.out,
        previewEvery: options.preview,
        steps: { before: 0, pace },
        pictures: { before: 0, total: request.count },
        onPicture(picture) {
          if (made.length === 0) warnOfChange(recipe, picture.recipe, output);
          made.push(picture);
          output.progress.end();
          output.say(`${picture.file}  ${shortTime(picture.seconds)}`);
        },
      },
      world,
      output,
    );
  });
  output.result.seconds = (performance.now() - began) / 1000;
  const files = made.length === 1 ? "1 picture" : `${made.length} pictures`;
  output.say(`${files} in ${shortTime((performance.now() - began) / 1000)}, loading included`);
}

/** Warns if an adapter file, or what the picture starts from, is not the repeated recipe's. */
function warnOfChange(from: Recipe | undefined, now: Recipe, output: Output): void {
  for (const { file, sha256 } of from?.adapters ?? []) {
    const same = now.adapters.find((adapter) => adapter.file === file);
    if (sha256 !== undefined && same?.sha256 !== undefined && same.sha256 !== sha256) {
      output.warn(`${file} has changed since the picture was made: this one will differ`);
    }
  }
  for (const role of ["image", "mask"] as const) {
    const [before, given] = [from?.request[role], now.request[role]];
    if (before && given && before.sha256 !== given.sha256) {
      output.warn(`--${role} ${given.file} is not the ${role} that the picture was made from: this one will differ`);
    }
  }
}
