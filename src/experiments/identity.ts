/** What tells a model or an adapter from another of the same name. */
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { startHash } from "#bytes";
import { hashFile } from "../bytes/hash-file.ts";

/**
 * Of a model: a file, or a folder with all that is in it but the folders of `without`; a name that is neither stands for
 * itself.
 */
export async function modelIdentity(model: string, without: readonly string[] = []): Promise<string> {
  const found = await stat(model).catch(() => undefined);
  if (!found) return model;
  const hash = startHash();
  for (const file of found.isDirectory() ? await filesUnder(model, without) : [""]) {
    hash.update(file);
    await hashFile(hash, join(model, file));
  }
  return hash.digest();
}

/** Links to files count as files: a hub's cache is made of them. */
async function filesUnder(folder: string, without: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inside = relative(folder, path);
    if (entry.name.startsWith(".") || without.includes(inside.split(sep)[0]!)) continue;
    if (entry.isFile() || (entry.isSymbolicLink() && (await stat(path)).isFile())) files.push(inside);
  }
  return files.sort();
}
