/** Folders and files that come and go. */
import { access, appendFile, constants, lstat, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { TillerError } from "../../errors/index.ts";
import { exists, kindOf } from "./file-source.ts";
import { refusal } from "./refusal.ts";

/**
 * Makes a folder and those it lies in, as far as they are missing.
 *
 * One by one: Node's recursive mkdir never returns where a folder exists but takes no new one, as /proc does.
 *
 * @throws TillerError if the disk or the folder refuses.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing = [folder];
  for (let above = dirname(folder); !(await exists(above)) && above !== dirname(above); above = dirname(above)) {
    missing.unshift(above);
  }
  for (const one of missing) {
    await mkdir(one).catch(async (error: NodeJS.ErrnoException) => {
      // It was there, or another process has made it meanwhile.
      if ((await kindOf(one)) === "folder") return;
      if (error.code !== "ENOENT" || one === "") throw refusal(error, folder);
      throw new TillerError("file-not-written", `${folder} could not be made: no folder can be made there.`, {
        paths: [folder],
        cause: error,
      });
    });
  }
}

/** @throws TillerError if the disk or the folder refuses. */
export async function appendText(file: string, text: string): Promise<void> {
  await appendFile(file, text).catch((error: unknown) => {
    throw refusal(error, file);
  });
}

/** Removes a file. @throws TillerError if the disk or the folder refuses. */
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
