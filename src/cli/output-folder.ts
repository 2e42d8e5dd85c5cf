/** Makes the output folder and checks that it is writable before anything is computed. */

import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../index.ts";
import { makeFolder, refusal } from "../internal.ts";

/** @throws TillerError if the folder or a file in it cannot be made. */
export async function prepareFolder(folder: string): Promise<void> {
  const trial = join(folder, `.tiller-${randomUUID().slice(0, 8)}`);
  try {
    await makeFolder(folder);
    await writeFile(trial, "x", { flag: "wx" });
  } catch (error) {
    const told = refusal(error, folder);
    if (!(told instanceof TillerError)) throw told;
    throw new TillerError(told.code, `${told.message} Choose another folder with --out.`, { cause: told });
  } finally {
    await rm(trial, { force: true }).catch(() => {});
  }
}
