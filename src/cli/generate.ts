/** `tiller generate`: pictures from a prompt. */

import type { Command } from "commander";
import { type GuidanceName, guidanceNames, type Recipe, type SamplerName, samplerNames } from "../index.ts";
import { completed, type GivenSettings } from "../internal.ts";
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
import { parseWhole } from "./values.ts";
import type { World } from "./world.ts";

interface GenerateOptions extends PictureOptions, GivenSettings {
  guidance?: GuidanceName;
  sampler?: SamplerName;
  steps?: number;
  seed?: number;
  preview?: number;
}

export function addGenerate(program: Command, act: (options: GenerateOptions) => Promise<void>): void {
  const command = program.command("generate").description("make pictures from a prompt");
  addPictureOptions(command).option(
    "--guidance <method>",
    `${guidanceNames.join(", ")}; default: pg with an adapter, else cfg`,
    parseGuidance,
  );
  addSettingOptions(command, "one")
    .option("--sampler <name>", `${samplerNames.join(", ")}; default: the model's, usually ddim`, parseSampler)
    .option("--steps <n>", "default: the model's, usually 50", (text) => parseWhole("--steps", text))
    .option("--seed <n>", "default: 0; the same as in Diffusers on the CPU", (text) => parseWhole("--seed", text))
    .option("--preview <n>", "also write what the picture looks like every n steps, to previews/", (text) =>
      parseWhole("--preview", text, 1),
    );
  addCommonOptions(command)
    .addHelpText(
      "after",
      `${methodHelp()}

Example:
  tiller generate --model ./sd15 --adapter cat.safetensors:0.9 --prompt "a sks cat in the snow" \\
                  --omega 0.3 --seed 7 --count 4
  tiller generate --from tiller-out/tiller-7-pg-w0.6.png --omega 0.3`,
    )
    .action(act);
}

export async function generate(options: GenerateOptions, world: World, output: Output): Promise<void> {
  const began = performance.now();
  const recipe = await recipeFrom(options);
  const { guidance, sampler, steps, seed } = options;
  const given = requestOf(
    { ...(await givenRequest(options)), guidance, ...givenSettings(options), sampler, steps, seed },
    recipe,
  );
  const choice = chooseModel(options, recipe);
  await prepareFolder(options.out);

  const made: MadePicture[] = [];
  Object.assign(output.result, { model: choice.model, out: options.out, pictures: made });
  await withPipeline(choice, options, world, output, async (pipeline) => {
    const request = completed(given, pipeline.defaults);
    warnOfIdle(options, [request.guidance], output);
    const pace = drawingPace(request.steps * request.count);
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

/** The same adapter file as in the recipe repeated, but with other bytes in it. */
function warnOfChange(from: Recipe | undefined, now: Recipe, output: Output): void {
  for (const { file, sha256 } of from?.adapters ?? []) {
    const same = now.adapters.find((adapter) => adapter.file === file);
    if (sha256 !== undefined && same?.sha256 !== undefined && same.sha256 !== sha256) {
      output.warn(`${file} has changed since the picture was made: this one will differ`);
    }
  }
}
