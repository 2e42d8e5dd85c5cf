/** Writes files under unused names. */
import { randomUUID } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../../errors/index.ts";
import { writeWhole } from "../write-whole.ts";
import { exists } from "./file-source.ts";

/**
 * Writes a new file `folder/stem.extension`, or `stem-2`, `stem-3`, … if the name is taken, even by another process at the same
 * moment. Returns the file's path.
 *
 * @throws TillerError if the file cannot be written; nothing is left behind.
 */
export async function writeNew(folder: string, stem: string, extension: string, bytes: Uint8Array): Promise<string> {
  const complete = join(folder, `.${stem}.${randomUUID().slice(0, 8)}`);
  await writeWhole(complete, bytes).catch((error: Error) => {
    if (!(error instanceof TillerError)) throw error;
    // The message should name the intended file, not the temporary one.
    const file = join(folder, `${stem}.${extension}`);
    throw new TillerError(error.code, error.message.replace(complete, file), { paths: [file], cause: error });
  });
  try {
    for (let n = 1; ; n++) {
      const file = join(folder, `${stem}${n === 1 ? "" : `-${n}`}.${extension}`);
      if (await claim(complete, file)) return file;
    }
  } finally {
    await rm(complete, { force: true });
  }
}

/** Gives a complete file its name, unless the name is taken. */
async function claim(complete: string, file: string): Promise<boolean> {
  try {
    await link(complete, file); // Unlike a rename, fails if the name exists.
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Some file systems (exFAT, network shares) have no links; there we can only check before renaming.
    if (await exists(file)) return false;
    try {
      await rename(complete, file);
      return true;
    } catch (failure) {
      throw new TillerError("file-not-written", `${file} could not be written: ${(failure as Error).message}.`, {
        paths: [file],
        cause: failure,
      });
    }
  }
}
