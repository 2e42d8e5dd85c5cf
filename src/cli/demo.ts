/** `tiller demo`: everything in one command, on the embedded model. */

import { join } from "node:path";
import type { Command } from "commander";
import { embeddedConcept } from "../experiments/concepts.ts";
import { type ExperimentFile, parseExperiment, runExperiment, writeReport, writeSheet } from "../experiments/index.ts";
import { shortResultLines, tellCompute, tellProgress } from "./experiment-output.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import { quoted, shortTime } from "./printable.ts";
import type { World } from "./world.ts";

interface DemoOptions extends CommonOptions {
  out: string;
}

export function addDemo(program: Command, act: (concept: string, options: DemoOptions) => Promise<void>): void {
  const command = program
    .command("demo")
    .description("learn a subject from a few pictures and compare the guidance methods, on the embedded model")
    .argument("[concept]", "a concept of the embedded world, such as black_cat or red_teapot", "brown_dog")
    .option("--out <folder>", "where everything is kept; finished parts are not done again", "tiller-demo");
  addCommonOptions(command).action(act);
}

/** Takes two minutes on two cores. */
const settings = {
  name: "demo",
  personalisation: [{ method: "dreambooth", steps: 400, rank: 16, learningRate: 1.5e-3, batch: 2, priorCount: 16 }],
  guidance: [{ method: "none" }, { method: "cfg" }, { method: "cfg+ag" }, { method: "pg", omega: [0, 0.6] }],
  pictures: 2,
  seed: 2,
} as const satisfies Partial<ExperimentFile>;

/** For a living subject: places, a colour and clothes that dinghy draws well. Things take six of theirs. */
const prompts = ["beach", "snow", "rug in a forest", "purple", "santa hat", "chef"];

export async function demo(
  name: string,
  { out, device, precision, threads }: DemoOptions,
  { signal }: World,
  output: Output,
): Promise<void> {
  const began = performance.now();
  const concept = embeddedConcept(name);
  const { noun } = concept.individual;
  await prepareFolder(out);
  const folder = join(out, name);
  Object.assign(output.result, { out: folder });
  output.say(`Learning ${name}, a ${noun} the model has never seen, from ${concept.references} pictures.`);
  const experiment = parseExperiment({
    ...settings,
    personalisation: [...settings.personalisation],
    concepts: [name],
    prompts: concept.live ? prompts : 6,
  });
  const onCompute = tellCompute(precision, output);
  const options = { folder, device, precision, threads, signal, onCompute };
  const results = await runExperiment(experiment, options, tellProgress(output));
  output.progress.end();

  const report = await writeReport(results, folder, {
    title: `A ${noun} called sks`,
    lead: `Tiller learned this one ${noun} from ${concept.references} pictures and drew it in new scenes, under each guidance method from the same seeds.`,
    commands: [`tiller demo ${name}`],
  });
  const sheet = await writeSheet(results, folder, `A ${noun} called sks, by guidance method`);
  const adapter = join(folder, results.adapters[0]!);
  const seconds = (performance.now() - began) / 1000;
  Object.assign(output.result, { report, sheet, results: join(folder, "results.json"), adapter, seconds });
  output.say(`\n${shortResultLines(results)}\n`);
  output.say(`${sheet}\n${report}`);
  output.say(`${shortTime(seconds)}; open the report in a browser. Next, your own scene:`);
  output.say(`  tiller generate --adapter ${quoted(adapter)} --prompt ${quoted(`a sks ${noun} in the jungle`)}`);
}
