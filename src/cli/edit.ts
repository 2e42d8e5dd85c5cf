/** `tiller edit`: changes a picture by an instruction, with an editing model. */
import type { Command } from "commander";
import { guidanceMethods, TillerError } from "../index.ts";
import { addDrawingOptions, type GenerateOptions, generate, withEveryThird } from "./generate.ts";
import type { Output } from "./output.ts";
import { methodHelp } from "./setting-options.ts";
import type { LoadedPipeline, World } from "./world.ts";

export function addEdit(program: Command, act: (options: GenerateOptions) => Promise<void>): void {
  addDrawingOptions(program.command("edit").description("change a picture by an instruction, with an editing model"))
    .addHelpText(
      "after",
      `${methodHelp()}

Example:
  tiller edit --model timbrooks/instruct-pix2pix --image photo.jpg --prompt "make it snow"
  tiller edit --model timbrooks/instruct-pix2pix --image photo.jpg --prompt "make it snow" --image-scale 1.2 \\
              --base stable-diffusion-v1-5/stable-diffusion-v1-5 --omega 0`,
    )
    .action((options: GenerateOptions) => act(withEveryThird(options)));
}

export async function edit(options: GenerateOptions, world: World, output: Output): Promise<void> {
  if (options.image === undefined && options.from === undefined) {
    throw new TillerError("image-missing", "--image is missing: say which picture to edit, such as --image photo.jpg.");
  }
  await generate(options, world, output, refuseOthers);
}

/** @throws TillerError if the model edits no pictures. */
function refuseOthers({ defaults }: LoadedPipeline, model: string): void {
  if (guidanceMethods.some(({ name, needs }) => name === defaults.guidance && needs.includes("editing"))) return;
  throw new TillerError(
    "model-unsupported",
    `${model} is not an editing model, such as timbrooks/instruct-pix2pix: with others, tiller generate --image starts from a picture.`,
    { paths: [model] },
  );
}
