/** `tiller tune`: finds the best omega for an adapter. */

import { join, parse } from "node:path";
import type { Command } from "commander";
import { tune as findOmega, type Interval, type Tried } from "../experiments/index.ts";
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
    .description(
      "find the best omega for an adapter: highest subject fidelity that keeps text fidelity, if the budget decides",
    )
    .option("--model <model>", "a Diffusers folder, a single .safetensors or .ckpt file, or a hub id; default: dinghy")
    .option("--adapter <file>", "the adapter; repeatable", (text, before: string[] = []) => [...before, text])
    .option("--images <folder>", "reference pictures of the subject")
    .option("--class <noun>", "the class noun, such as cat")
    .option("--token <word>", "the subject's token in prompts", "sks")
    .option("--thing", "the subject is a thing, not a person or animal: use prompts without clothes")
    .option("--budget <n>", "the most pictures to draw", (text) => parseWhole("--budget", text, 1), 120)
    .option("--scale <list>", "guidance scales to try, compared with cfg at the first; default: the model's", (text) =>
      parseNumbers("--scale", text),
    )
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
  const { best, decided, alike, tried, needs, cfg, chart, pictures } = tuned;
  Object.assign(output.result, { best, decided, alike, tried, needs, cfg, pictures, chart, out: folder, seconds });
  output.say(table([heads, ...tried.map(row)]));
  output.say(
    `Differences to cfg at scale ${cfg.scale} on the same prompts and seeds, with 95 % intervals; kept is CLIP-T less ${floor * 100} % of cfg's.\n`,
  );
  const several = new Set(tried.map((one) => one.scale)).size > 1;
  const named = ({ omega, scale }: Tried) => `omega ${omega}${several ? ` at scale ${scale}` : ""}`;
  if (!best)
    output.say(`nothing looks better than cfg: no omega has higher DINO and keeps ${floor * 100} % of its CLIP-T`);
  else {
    const shown = `${named(best)}: DINO ${interval(best.dino)} over cfg, CLIP-T ${interval(best.clipT)}, on ${best.prompts} prompts`;
    const more = needs === undefined ? "" : `; --budget ${needs} would, if the difference is as it looks`;
    output.say(decided ? `best: ${shown}` : `not decided at this budget${more}\nlooks best: ${shown}`);
  }
  if (alike.length > 0) output.say(`not told apart from it: ${alike.map(named).join(", ")}`);
  const proposed = best && decided ? best : cfg;
  const guidance = proposed.omega === 1 ? "cfg" : `pg --omega ${proposed.omega}`;
  const adapters = adapter.map((file) => ` --adapter ${quoted(file)}`).join("");
  const prompt = quoted(`a ${token} ${options.class} in the snow`);
  output.say(
    `try: tiller generate --model ${quoted(model)}${adapters} --prompt ${prompt} --guidance ${guidance} --scale ${proposed.scale}`,
  );
  output.say(`${chart}\n${pictures} pictures, ${shortTime(seconds)}`);
}

const heads = ["guidance", "scale", "DINO over cfg", "CLIP-T over cfg", "kept", "prompts", "pictures"];

const row = ({ omega, scale, dino, clipT, kept, prompts, pictures }: Tried): string[] => [
  omega === 1 ? "cfg" : `pg ${omega}`,
  String(scale),
  interval(dino),
  interval(clipT),
  interval(kept),
  String(prompts),
  String(pictures),
];

const interval = ({ mean, low, high }: Interval): string => `${signed(mean)} [${signed(low)}, ${signed(high)}]`;
const signed = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
