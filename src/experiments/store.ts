/**
 * Units of work in a folder that several processes may share: each unit is a folder named by a key of its contents, done
 * once its `done.json` is there, and held by one process at a time.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { exists, hold, makeFolder } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { writeWhole } from "../bytes/write-whole.ts";

/** What decides a unit's outcome, as a short name for its folder. */
export const keyOf = (contents: unknown): string =>
  createHash("sha256").update(JSON.stringify(contents)).digest("hex").slice(0, 20);

/**
 * What a finished unit left to say, or undefined if it is not finished.
 *
 * @throws TillerError naming the file if it is damaged.
 */
export async function readDone<T>(folder: string): Promise<T | undefined> {
  const file = join(folder, "done.json");
  return (await exists(file)) ? ((await readJson(file, z.unknown())) as T) : undefined;
}

/**
 * Does a unit unless it is done, or held by another process. What `work` returns is recorded as done; what an unfinished
 * attempt left in the folder is there for `work` to go on with or to overwrite.
 *
 * @returns "held" if another process is at it.
 */
export async function doOnce(folder: string, work: () => Promise<unknown>): Promise<"done" | "held"> {
  if (await exists(join(folder, "done.json"))) return "done";
  await makeFolder(folder);
  const release = await hold(join(folder, "lock"));
  if (!release) return "held";
  try {
    // It may have been finished between the look and the lock.
    if (await exists(join(folder, "done.json"))) return "done";
    const text = `${JSON.stringify((await work()) ?? {})}\n`;
    await writeWhole(join(folder, "done.json"), text);
    return "done";
  } finally {
    await release();
  }
}
