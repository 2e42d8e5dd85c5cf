/** Creates folders, and appends to and removes files. */
import { access, appendFile, constants, lstat, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { TillerError } from "../../errors/index.ts";
import { exists, kindOf } from "./file-source.ts";
import { refusal } from "./refusal.ts";

/**
 * Creates a folder and its missing parents.
 *
 * One by one, because Node's recursive mkdir never returns if an existing parent, such as /proc, takes no new folder.
 *
 * @throws TillerError if the folder cannot be created.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing = [folder];
  for (let above = dirname(folder); !(await exists(above)) && above !== dirname(above); above = dirname(above)) {
    missing.unshift(above);
  }
  for (const one of missing) {
    await mkdir(one).catch(async (error: NodeJS.ErrnoException) => {
      // It existed, or another process has created it meanwhile.
      if ((await kindOf(one)) === "folder") return;
      if (error.code !== "ENOENT" || one === "") throw refusal(error, folder);
      throw new TillerError("file-not-written", `${folder} could not be created: no folder can be created there.`, {
        paths: [folder],
        cause: error,
      });
    });
  }
}

/** Appends text to a file. @throws TillerError if it cannot be written. */
export async function appendText(file: string, text: string): Promise<void> {
  await appendFile(file, text).catch((error: unknown) => {
    throw refusal(error, file);
  });
}

/** Removes a file. @throws TillerError if it cannot be removed. */
export async function remove(file: string): Promise<void> {
  await rm(file).catch((error: unknown) => {
    throw refusal(error, file);
  });
}

/** @throws TillerError if a file of this name could not be written. */
export async function refuseUnwritable(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined);
  if (there?.isDirectory()) {
    throw new TillerError(
      "file-not-written",
      `${file} cannot be written: it is a folder; remove it, or choose another --out.`,
      { paths: [file] },
    );
  }
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    throw refusal(error, file);
  });
}
