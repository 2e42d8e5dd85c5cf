/**
 * Units of work in a folder that several processes may share: each unit is a folder named by a key of its contents, done once it
 * has a `done.json`, and held by one process at a time.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { exists, hold, makeFolder } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { writeWhole } from "../bytes/write-whole.ts";

/** A short hash of everything that affects a unit's outcome, as its folder's name. */
export const keyOf = (contents: unknown): string =>
  createHash("sha256").update(JSON.stringify(contents)).digest("hex").slice(0, 20);

/**
 * The record of a finished unit, or undefined if it is not finished.
 *
 * @throws TillerError naming the file if it is damaged.
 */
export async function readDone<T>(folder: string): Promise<T | undefined> {
  const file = join(folder, "done.json");
  return (await exists(file)) ? ((await readJson(file, z.unknown())) as T) : undefined;
}

/**
 * Does a unit unless it is done or held by another process. The result of `work` is recorded in `done.json`; files of an
 * unfinished attempt stay in the folder for `work` to continue with or overwrite.
 *
 * @returns "held" if another process holds it.
 */
export async function doOnce(folder: string, work: () => Promise<unknown>): Promise<"done" | "held"> {
  if (await exists(join(folder, "done.json"))) return "done";
  await makeFolder(folder);
  const release = await hold(join(folder, "lock"));
  if (!release) return "held";
  try {
    // It may have been finished between the check and the lock.
    if (await exists(join(folder, "done.json"))) return "done";
    const text = `${JSON.stringify((await work()) ?? {})}\n`;
    await writeWhole(join(folder, "done.json"), text);
    return "done";
  } finally {
    await release();
  }
}
