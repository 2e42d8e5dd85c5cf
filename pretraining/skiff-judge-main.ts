/**
 * For skiff.py: writes the ids of prompts to judge a model by to standard output (77 of two bytes each), or judges what it drew for
 * them, RGB bytes [count, 128, 128, 3].
 *
 *     node pretraining/run.js skiff-judge-main prompts COUNT | judge COUNT FILE
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startEngine } from "../src/runtime/index.ts";
import { side, subjectOf } from "../src/world/render.ts";
import { promptOf, themesOf } from "../src/world/world.ts";
import { rankedRight, themedSamples } from "./judge.ts";
import { worldTokens } from "./tokens.ts";

const [what, count, file] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
if (what === "prompts") {
  const { encode } = worldTokens();
  for (const { individual, theme } of themedSamples(count)) {
    const prompt = promptOf(themesOf(subjectOf(individual.noun)).get(theme)!, individual.noun);
    process.stdout.write(new Uint8Array(Uint16Array.from(encode(prompt)).buffer));
  }
} else {
  const pictures = await readFile(file!);
  const size = 3 * side * side;
  const engine = await startEngine();
  try {
    const model = fileURLToPath(new URL("../models/dinghy", import.meta.url));
    const { theme, kind } = await rankedRight(engine, model, count, async (_sample, i) =>
      pictures.subarray(i * size, (i + 1) * size),
    );
    console.log(`by CLIP: scene first ${(100 * theme).toFixed(1)} %, kind first ${(100 * kind).toFixed(1)} %`);
  } finally {
    await engine.close();
  }
}
