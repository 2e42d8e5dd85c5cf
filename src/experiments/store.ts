/** Units of work in a folder: each is a folder named by a key of its contents, done once it has a `done.json`. */
import { join } from "node:path";
import { z } from "zod";
import { exists, makeFolder } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { digestOf } from "../bytes/node/digest.ts";
import { writeWhole } from "../bytes/write-whole.ts";

/** A short hash of everything that affects a unit's outcome, as its folder's name. */
export const keyOf = (contents: unknown): string => digestOf(JSON.stringify(contents));

/**
 * The record of a finished unit, or undefined if it is not finished.
 *
 * @throws TillerError naming the file if it is damaged.
 */
export async function readDone<T>(folder: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const file = join(folder, "done.json");
  return (await exists(file)) ? readJson(file, schema) : undefined;
}

/** Whether a unit is finished. */
export const isFinished = async (folder: string): Promise<boolean> =>
  (await readDone(folder, z.unknown())) !== undefined;

/**
 * Does a unit: what `work` returns is recorded in `done.json`. Files of an unfinished attempt stay in the folder for `work` to
 * continue with or overwrite.
 */
export async function finish(folder: string, work: () => Promise<unknown>): Promise<void> {
  await makeFolder(folder);
  const text = `${JSON.stringify((await work()) ?? {})}\n`;
  await writeWhole(join(folder, "done.json"), text);
}
