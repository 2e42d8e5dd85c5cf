/** `tiller tune`: finds the best omega for an adapter. */

import { join, parse } from "node:path";
import type { Command } from "commander";
import { tune as findOmega } from "../experiments/index.ts";
import { embeddedModel, TillerError } from "../index.ts";
import { tellCompute, tellProgress } from "./experiment-output.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { quoted, shortTime, table } from "./printable.ts";
import { parseNumbers } from "./ranges.ts";
import { withModelNamed } from "./session.ts";
import { parseNumber, parseWhole } from "./values.ts";
import type { World } from "./world.ts";

interface TuneOptions extends CommonOptions {
  model?: string;
  adapter?: string[];
  images?: string;
  token: string;
  class?: string;
  thing?: true;
  budget: number;
  scale?: readonly number[];
  floor: number;
  steps?: number;
  clip?: string;
  dino?: string;
  out?: string;
}

export function addTune(program: Command, act: (options: TuneOptions) => Promise<void>): void {
  const command = program
    .command("tune")
    .description("find the best omega for an adapter: highest subject fidelity that keeps text fidelity")
    .option("--model <model>", "a Diffusers folder, a single .safetensors or .ckpt file, or a hub id; default: dinghy")
    .option("--adapter <file>", "the adapter; repeatable", (text, before: string[] = []) => [...before, text])
    .option("--images <folder>", "reference pictures of the subject")
    .option("--class <noun>", "the class noun, such as cat")
    .option("--token <word>", "the subject's token in prompts", "sks")
    .option("--thing", "the subject is a thing, not a person or animal: use prompts without clothes")
    .option("--budget <n>", "the most pictures to draw", (text) => parseWhole("--budget", text, 1), 120)
    .option("--scale <list>", "guidance scales to try; default: the model's", (text) => parseNumbers("--scale", text))
    .option("--floor <share>", "share of cfg's CLIP-T to keep", (text) => parseNumber("--floor", text), 0.98)
    .option("--steps <n>", "sampler steps; default: the model's", (text) => parseWhole("--steps", text, 1))
    .option(
      "--clip <model>",
      "a CLIP folder or hub id, such as openai/clip-vit-base-patch32; default for dinghy: dinghy's",
    )
    .option("--dino <model>", "a ViT folder or hub id, such as facebook/dino-vits16; default for dinghy: dinghy's")
    .option(
      "--out <folder>",
      "where pictures are kept; existing ones are not drawn again; default: beside the adapter",
    );
  addCommonOptions(command)
    .addHelpText(
      "after",
      `
Example:
  tiller tune --model ./sd15 --adapter cat.safetensors --images my-cat --class cat --budget 60 \\
              --clip openai/clip-vit-base-patch32 --dino facebook/dino-vits16`,
    )
    .action(act);
}

export async function tune(options: TuneOptions, { signal }: World, output: Output): Promise<void> {
  const {
    model = embeddedModel,
    adapter,
    images,
    token,
    budget,
    scale,
    floor,
    steps,
    clip,
    dino: vit,
    device,
    precision,
    threads,
  } = options;
  if (!adapter) throw new TillerError("option-missing", "--adapter is missing: name the adapter file.");
  if (images === undefined)
    throw new TillerError(
      "option-missing",
      "--images is missing: name the folder of reference pictures of the subject.",
    );
  if (options.class === undefined)
    throw new TillerError("option-missing", "--class is missing: give the class noun, such as cat.");
  if (model !== embeddedModel && (clip === undefined || vit === undefined))
    throw new TillerError(
      "encoders-needed",
      "--clip and --dino are missing: name encoders to measure with; dinghy's own only know dinghy's pictures.",
    );
  if ((clip === undefined) !== (vit === undefined))
    throw new TillerError("option-missing", "--clip and --dino go together: name both, or neither.");
  const began = performance.now();
  const { dir, name } = parse(adapter[0]!);
  const folder = options.out ?? join(dir, `${name}.tune`);
  await prepareFolder(folder);
  const request = {
    model,
    adapters: adapter,
    images,
    token,
    class: options.class,
    live: !options.thing,
    budget,
    scales: scale,
    floor,
    steps,
    encoders: clip !== undefined && vit !== undefined ? { clip, dino: vit } : undefined,
  };
  const how = { folder, device, precision, threads, signal, onCompute: tellCompute(precision, output) };
  const tuned = await findOmega(request, how, tellProgress(output)).catch((error) => {
    throw options.model === undefined ? withModelNamed(error) : error;
  });
  output.progress.end();
  const seconds = (performance.now() - began) / 1000;
  const { omega, scale: best, chosen, cfg, curve, pictures, arms } = tuned;
  const told = ({ name, scores, prompts }: typeof chosen) => ({ name, scores, prompts: prompts.length });
  Object.assign(output.result, {
    omega,
    scale: best,
    pictures,
    curve,
    out: folder,
    seconds,
    chosen: told(chosen),
    cfg: told(cfg),
    arms: arms.map(told),
  });
  output.say(
    table([
      ["guidance", "DINO", "CLIP-T", "prompts"],
      ...arms.map((arm) => [
        arm.name,
        arm.scores.dino!.mean.toFixed(3),
        arm.scores.clipT!.mean.toFixed(3),
        String(arm.prompts.length),
      ]),
    ]),
  );
  const percent = (share: number) => `${share >= 1 ? "+" : "-"}${(Math.abs(share - 1) * 100).toFixed(1)} %`;
  const dino = percent(chosen.scores.dino!.mean / cfg.scores.dino!.mean);
  const text = percent(chosen.scores.clipT!.mean / cfg.scores.clipT!.mean);
  output.say(
    omega === 1
      ? `\nbest: cfg (omega 1): no other omega keeps ${floor * 100} % of its CLIP-T with higher subject fidelity`
      : `\nbest: omega ${omega} at scale ${best}: DINO ${dino}, CLIP-T ${text} compared with cfg`,
  );
  const guidance = omega === 1 ? "cfg" : `pg --omega ${omega}`;
  const adapters = adapter.map((file) => ` --adapter ${quoted(file)}`).join("");
  const prompt = quoted(`a ${token} ${options.class} in the snow`);
  output.say(
    `try: tiller generate --model ${quoted(model)}${adapters} --prompt ${prompt} --guidance ${guidance} --scale ${best}`,
  );
  output.say(`${curve}\n${pictures} pictures, ${shortTime(seconds)}`);
}
