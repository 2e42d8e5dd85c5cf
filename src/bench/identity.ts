/** What tells a model, an adapter or a set of pictures from another of the same name. */
import { createHash, type Hash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { exists, readFully, withRegularFile } from "../files/regular-file.ts";
import { captionFileOf, pictureNames } from "../training/pictures.ts";

/** Files up to this are read whole, of larger ones so much in even strides: enough to tell weights apart. */
const whole = 64 << 20;
const piece = 1 << 20;

/**
 * Of a model: a file, or a folder with all that is in it but the folders of `without`; a name that is neither stands for
 * itself.
 */
export async function modelIdentity(model: string, without: readonly string[] = []): Promise<string> {
  const found = await stat(model).catch(() => undefined);
  if (!found) return model;
  const hash = createHash("sha256");
  for (const file of found.isDirectory() ? await filesUnder(model, without) : [""]) {
    hash.update(file);
    await update(hash, join(model, file));
  }
  return hash.digest("hex");
}

/** Of the pictures in a folder and their captions. */
export async function picturesIdentity(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of await pictureNames(folder)) {
    const caption = captionFileOf(join(folder, name));
    for (const file of [join(folder, name), ...((await exists(caption)) ? [caption] : [])]) {
      hash.update(basename(file));
      await update(hash, file);
    }
  }
  return hash.digest("hex");
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

const update = (hash: Hash, file: string): Promise<void> =>
  withRegularFile(file, async ({ handle, size }) => {
    hash.update(String(size));
    const stride = size <= whole ? piece : Math.floor(size / (whole / piece));
    for (let at = 0; at < size; at += stride) {
      const bytes = new Uint8Array(Math.min(piece, size - at));
      await readFully(handle, bytes, at);
      hash.update(bytes);
    }
  });
