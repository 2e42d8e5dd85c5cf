/** A hash that tells models or adapters with the same name apart. */
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { startHash } from "#bytes";
import { hashFile } from "../bytes/hash-file.ts";

/**
 * The hash of a model's file, or of everything in its folder except the folders in `without`; any other name is returned as it
 * is.
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
