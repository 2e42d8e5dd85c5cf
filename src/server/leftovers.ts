/** Unfinished files of a killed server, recognised by the names the server gives them. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isTemporary } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import { isId } from "./ids.ts";

/**
 * Files that were being written and uploads that were being decoded. Call this before the server accepts requests, so that it
 * finds none of its own work.
 */
export async function leftoversIn({ jobs, pictures, adapters, studies, uploads }: DataFolder): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [jobs, pictures, adapters, studies, uploads]) {
    // Training runs are in folders beside the uploads, a study is a folder.
    const recursive = folder === uploads || folder === studies;
    for (const entry of await readdir(folder, { withFileTypes: true, recursive })) {
      const { name, parentPath } = entry;
      const unfinished = parentPath === uploads && entry.isDirectory() && name.startsWith(".") && isId(name.slice(1));
      if (unfinished || (entry.isFile() && isTemporary(name))) found.push(join(parentPath, name));
    }
  }
  return found;
}

/** Call this only once the server holds the folder's lock: until then they may be another server's work. */
export async function removeLeftovers(files: readonly string[]): Promise<void> {
  for (const file of files) {
    await rm(file, { recursive: true, force: true }).catch((error: unknown) =>
      process.emitWarning(`unfinished files of an earlier server could not be removed: ${error}`),
    );
  }
}
