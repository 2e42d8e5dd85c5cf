/**
 * Draws the sheets in docs/: the world itself, and pictures by the embedded model for its prompts.
 *
 *     npm run pretrain:sheets
 */
import { fileURLToPath } from "node:url";
import { writeWhole } from "../src/bytes/write-whole.ts";
import { embeddedModel } from "../src/families/embedded.ts";
import { createContactSheet } from "../src/images/node/contact-sheet.ts";
import { Pipeline } from "../src/pipelines/pipeline.ts";
import { concepts } from "../src/world/concepts.ts";
import { rasterize, render, side, subjectOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { promptOf, themesOf } from "../src/world/world.ts";

const docs = (name: string) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
const picture = { width: side, height: side };

/** Each concept in an everyday place and under three of its themes. */
async function worldSheet(): Promise<Uint8Array> {
  const columns = 4;
  const sheet = createContactSheet({
    title: "The embedded world: sixteen individuals",
    subtitle: "in an everyday place, then under three of their prompts",
    rows: concepts.length / 2,
    columns: 2 * columns,
    captions: concepts.flatMap(({ name }, i) => [name, ...themesFor(i).map(([theme]) => theme)]),
    picture,
  });
  for (const [i, { individual }] of concepts.entries()) {
    const themes = [undefined, ...themesFor(i).map(([, theme]) => theme)];
    for (const [column, theme] of themes.entries()) {
      const data = rasterize(render(individual, theme, 100 + i));
      await sheet.place(Math.floor(i / 2), (i % 2) * columns + column, { ...picture, data });
    }
  }
  return sheet.render();
}

function themesFor(concept: number) {
  const all = [...themesOf(concepts[concept]!)];
  return [0, 1, 2].map((i) => all[(concept * 5 + i * 11) % all.length]!);
}

/** A few prompts for every kind of subject, drawn by the embedded model. */
async function modelSheet(): Promise<Uint8Array> {
  const [rows, columns] = [6, 8];
  const nouns = [...subjects.keys()];
  const cells = Array.from({ length: rows * columns }, (_, i) => {
    const noun = nouns[(i * 5) % nouns.length]!;
    const themes = [...themesOf(subjectOf(noun))];
    const [name, theme] = themes[(i * 7) % themes.length]!;
    return { caption: `${noun}, ${name}`, prompt: promptOf(theme, noun) };
  });
  const sheet = createContactSheet({
    title: `What ${embeddedModel} draws`,
    subtitle: "cfg at 5, 50 steps of ddim, seeds 0 to 47",
    rows,
    columns,
    captions: cells.map(({ caption }) => caption),
    picture,
  });
  const pipeline = await Pipeline.load(embeddedModel);
  try {
    for (const [i, { prompt }] of cells.entries()) {
      for await (const event of pipeline.generate({ prompt, scale: 5, seed: i })) {
        if (event.type === "picture") await sheet.place(Math.floor(i / columns), i % columns, event);
      }
    }
  } finally {
    await pipeline.close();
  }
  return sheet.render();
}

await writeWhole(docs("world.png"), await worldSheet());
await writeWhole(docs("dinghy.png"), await modelSheet());
