/** An experiment's pictures on one sheet at one seed: a row per method, a column per prompt. */
import { join } from "node:path";
import { readPixels } from "#images";
import type { Results } from "./results.ts";

/** The first concept's sheet, as a PNG file. */
export async function sheetOf({ arms, experiment }: Results, title: string, root: string): Promise<Uint8Array> {
  const concept = arms[0]!.prompts[0]!.concept;
  const rows = arms.map(({ name, prompts }) => ({ name, prompts: prompts.filter((one) => one.concept === concept) }));
  const first = rows[0]!.prompts;
  const fileOf = ({ folder, seeds }: (typeof first)[number]) => join(root, folder, `${seeds[0]}.png`);
  const { width, height } = await readPixels(fileOf(first[0]!));
  // Loaded here: it brings native packages, and most commands draw no sheet.
  const { createContactSheet } = await import("../images/node/contact-sheet.ts");
  const sheet = createContactSheet({
    title,
    subtitle: `${experiment.model}, ${experiment.steps} steps of ${experiment.sampler}, seed ${experiment.seed}`,
    rows: rows.length,
    columns: first.length,
    rowLabels: rows.map(({ name }) => [name]),
    columnLabels: first.map(({ prompt }) => prompt),
    picture: { width, height },
  });
  for (const [row, { prompts }] of rows.entries()) {
    for (const [column, one] of prompts.entries()) await sheet.place(row, column, await readPixels(fileOf(one)));
  }
  return sheet.render();
}
