/** Folders and files that come and go. */
import { access, appendFile, constants, lstat, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { TillerError } from "../../errors/index.ts";
import { refusal } from "./refusal.ts";

/**
 * Makes a folder and those it lies in, as far as they are missing.
 *
 * @throws TillerError if the disk or the folder refuses.
 */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw refusal(error, folder);
  });
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
