/**
 * Draws what a full fine-tune of dinghy learns, for experiments/dinghy-full.json: one individual of each of sixteen kinds, called
 * "sks". `pictures/` is for training, with captions: everyday places and every theme but those of the experiment's prompts, so
 * that its places are known to the pre-trained model alone. `references/` is for measuring: poses and places of neither.
 *
 *     node pretraining/run.js sixteen-main FOLDER
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePng } from "../src/recipe/png.ts";
import { captionOf } from "../src/world/captions.ts";
import { type Individual, individualOf, rasterize, render, side, subjectOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { type Theme, themesOf } from "../src/world/world.ts";

/** The experiment's prompts. */
const measured = new Set(["jungle", "beach", "blue house", "moon", "sunset", "wooden floor", "living room", "shiny"]);
const kinds = 16;
const everyday = 24;
const references = 5;
/** Individuals, poses and places unseen in pretraining and its evaluation. */
const unseen = 2 ** 31;
const token = "sks";

const folder = process.argv[2] ?? "dinghy-full";

async function draw(file: string, individual: Individual, theme: Theme | undefined, seed: number): Promise<void> {
  const data = rasterize(render(individual, theme, seed));
  await writeFile(file, await encodePng({ width: side, height: side, data }));
}

const pictures = join(folder, "pictures");
await mkdir(pictures, { recursive: true });
for (const noun of [...subjects.keys()].slice(0, kinds)) {
  const individual = individualOf(noun, unseen);
  const themes = [...themesOf(subjectOf(noun))].flatMap(([name, theme]) => (measured.has(name) ? [] : [theme]));
  const shown = [...new Array<undefined>(everyday).fill(undefined), ...themes];
  const name = noun.replaceAll(" ", "_");
  for (const [i, theme] of shown.entries()) {
    const place = join(pictures, `${name}-${String(i).padStart(2, "0")}`);
    await draw(`${place}.png`, individual, theme, unseen + references + i);
    await writeFile(`${place}.txt`, `${captionOf(`${token} ${noun}`, theme, unseen + i)}\n`);
  }
  const own = join(folder, "references", name);
  await mkdir(own, { recursive: true });
  for (let i = 0; i < references; i++) await draw(join(own, `${i}.png`), individual, undefined, unseen + i);
}
