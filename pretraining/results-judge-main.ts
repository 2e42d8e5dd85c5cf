/**
 * Judges the pictures of an experiment on the drawn world: how many of each row show the scene and the kind that they were asked for,
 * by dinghy's own CLIP.
 *
 *     node pretraining/run.js results-judge-main FOLDER
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { conceptsOf } from "../src/experiments/concepts.ts";
import type { Results } from "../src/experiments/index.ts";
import { wholeExperiment } from "../src/experiments/whole.ts";
import { readPixels } from "../src/images/node/decode.ts";
import { openClip } from "../src/metrics/encoders.ts";
import { startEngine } from "../src/runtime/index.ts";
import { firstOf, kindsOf, themesTold, toldTo } from "./judge.ts";

const [, , folder] = process.argv;
if (folder === undefined) throw new Error("name the folder of an experiment's results");
const results: Results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));
const experiment = await wholeExperiment(results.experiment);
const nouns = new Map((await conceptsOf(experiment, folder)).map((concept) => [concept.name, concept.class]));
const model = fileURLToPath(new URL("../models/dinghy", import.meta.url));
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const engine = await startEngine();
try {
  const clip = await openClip(engine, join(model, "clip"), join(model, "tokenizer"), "dreambooth");
  const told = toldTo(clip);
  for (const { name, prompts } of results.arms) {
    let [scenes, kinds, pictures] = [0, 0, 0];
    for (const { concept, prompt, folder: place, seeds } of prompts) {
      const noun = nouns.get(concept)!;
      for (const seed of seeds) {
        const [seen] = await clip.pictures([await readPixels(join(folder, place, `${seed}.png`))]);
        pictures++;
        if (firstOf(seen!, await told(themesTold(noun))) === prompt) scenes++;
        if (firstOf(seen!, await told(kindsOf(noun, prompt))) === noun) kinds++;
      }
    }
    console.log(
      `${name}: scene ${percent(scenes / pictures)}, kind ${percent(kinds / pictures)} of ${pictures} pictures`,
    );
  }
} finally {
  await engine.close();
}
