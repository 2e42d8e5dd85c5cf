/** What a server that was killed left half-done, by names that are the server's own. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isTemporary } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import { isId } from "./ids.ts";

/**
 * Files that were being written, and uploads that were being decoded. To be looked for before this server answers: what it
 * finds then is no work of its own.
 */
export async function leftoversIn({ jobs, pictures, adapters, studies, uploads }: DataFolder): Promise<string[]> {
  const found: string[] = [];
  for (const folder of [jobs, pictures, adapters, studies, uploads]) {
    // Runs of training lie in folders beside the uploads.
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: folder === uploads })) {
      const { name, parentPath } = entry;
      const unfinished = parentPath === uploads && entry.isDirectory() && name.startsWith(".") && isId(name.slice(1));
      if (unfinished || (entry.isFile() && isTemporary(name))) found.push(join(parentPath, name));
    }
  }
  return found;
}

/** To be called once the folder is this server's alone: until then they may be another's work. */
export async function removeLeftovers(files: readonly string[]): Promise<void> {
  for (const file of files) {
    await rm(file, { recursive: true, force: true }).catch((error: unknown) =>
      process.emitWarning(`what an earlier server left could not be removed: ${error}`),
    );
  }
}
