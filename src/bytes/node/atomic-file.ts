/** Writes files that appear under their name complete or not at all. */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { refusal } from "./refusal.ts";

const temporaryOf = (file: string): string => join(dirname(file), `.${basename(file)}.${randomUUID().slice(0, 8)}.tmp`);

/** Whether a name is that of a temporary file of {@link writeAtomically}, which a killed process leaves behind. */
export const isTemporary = (name: string): boolean => /^\..+\.[0-9a-f]{8}\.tmp$/.test(name);

/**
 * Runs `write` on a temporary file beside `file`, then renames it to `file`. The temporary file is removed on failure.
 *
 * @throws TillerError if the file cannot be written. Other errors from `write` pass through.
 */
export async function writeAtomically(
  file: string,
  write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = temporaryOf(file);
  begin(temporary);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write((bytes) => writeAll(handle, bytes));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw refusal(error, file);
  } finally {
    end(temporary);
  }
}

/** Temporary files being written, removed if the process exits: a blend of two models takes gigabytes. */
const unfinished = new Set<string>();

function begin(temporary: string): void {
  if (unfinished.size === 0) process.on("exit", removeUnfinished);
  unfinished.add(temporary);
}

function end(temporary: string): void {
  unfinished.delete(temporary);
  if (unfinished.size === 0) process.off("exit", removeUnfinished);
}

function removeUnfinished(): void {
  for (const temporary of unfinished) rmSync(temporary, { force: true });
}

/** Writes all of `bytes` at the handle's position; `FileHandle.write` may write less. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
    done += bytesWritten;
  }
}
