/** A file appears under its name complete or not at all. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TillerError } from "../errors.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "the folder is not writable",
  EPERM: "the folder is not writable",
  EROFS: "the disk is read-only",
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder is a file",
  EISDIR: "it is a folder",
};

/**
 * Runs `write` on a temporary file beside `file`, then renames it to `file`. The temporary file is removed on failure.
 *
 * @throws TillerError if the disk or the folder refuses. Whatever else `write` throws passes through.
 */
export async function writeAtomically(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof TillerError || code === undefined) throw error;
    throw new TillerError(`${file} could not be written: ${reasons[code] ?? code}.`, { cause: error });
  }
}

/** Writes a file whole, from bytes or text. */
export function writeWhole(file: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return writeAtomically(file, (handle) => writeAll(handle, bytes));
}

/** Writes all of `bytes` at the handle's position; `FileHandle.write` may write less. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
    done += bytesWritten;
  }
}
