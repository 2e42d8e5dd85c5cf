/** What tells a model, an adapter or a set of pictures from another of the same name. */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { readFully, withRegularFile } from "../files/regular-file.ts";
import { pictureNames } from "../training/pictures.ts";

/** From each end of a file so many bytes are looked at: enough to tell weights apart without reading gigabytes. */
const looked = 1 << 20;

/** Of a model: a file or a folder with all that is in it; a name that is neither stands for itself. */
export async function modelIdentity(model: string): Promise<string> {
  const found = await stat(model).catch(() => undefined);
  if (!found) return model;
  const hash = createHash("sha256");
  for (const file of found.isDirectory() ? await filesUnder(model) : [""]) {
    hash.update(file);
    await update(hash, join(model, file));
  }
  return hash.digest("hex");
}

/** Of the pictures in a folder. */
export async function picturesIdentity(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of await pictureNames(folder)) {
    hash.update(name);
    await update(hash, join(folder, name));
  }
  return hash.digest("hex");
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const update = (hash: ReturnType<typeof createHash>, file: string): Promise<void> =>
  withRegularFile(file, async ({ handle, size }) => {
    hash.update(String(size));
    const head = new Uint8Array(Math.min(size, looked));
    await readFully(handle, head, 0);
    hash.update(head);
    const tail = new Uint8Array(Math.min(size - head.length, looked));
    await readFully(handle, tail, size - tail.length);
    hash.update(tail);
  });
