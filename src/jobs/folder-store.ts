/**
 * A store in a folder, on this machine's disk or one that several share: `pictures-<hash>` is in `pictures/<hash>`, which appears
 * complete or not at all. An experiment's folder is such a store.
 */
import { randomUUID } from "node:crypto";
import { constants, copyFile, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exists, makeFolder } from "#bytes";
import { sha256Of } from "../bytes/hash-file.ts";
import { writeWhole } from "../bytes/write-whole.ts";
import {
  checkedKey,
  damaged,
  filesOf,
  largestManifest,
  lastOfAll,
  manifestName,
  manifestText,
  missing,
  parseManifest,
} from "./manifest.ts";
import type { Store } from "./store.ts";

/** One of these is in every complete result: the list that was published with it, or what a process wrote that worked in place. */
const marks = [manifestName, "done.json", join(".drawn", "done.json")];

/** Where a key's files are, under a store's folder. */
export function placeIn(root: string, key: string): string {
  const [kind, hash] = checkedKey(key).split("-") as [string, string];
  return join(root, kind, hash);
}

export function openFolderStore(root: string): Store {
  const isDone = async (place: string) => {
    for (const mark of marks) if (await exists(join(place, mark))) return true;
    return false;
  };
  const put = async (key: string, from: string, first: boolean) => {
    const place = placeIn(root, key);
    if (first && (await isDone(place))) return false;
    await makeFolder(dirname(place));
    const hidden = () => join(dirname(place), `.${randomUUID().slice(0, 8)}.part`);
    const copy = hidden();
    try {
      await makeFolder(copy);
      const files = await filesOf(from);
      for (const { name } of files) await copyOne(join(from, name), join(copy, name));
      await writeWhole(join(copy, manifestName), manifestText(files));
      for (;;) {
        if (await renamed(copy, place)) return true;
        if (first && (await isDone(place))) return false;
        // What is in the way is unfinished, or to be replaced.
        const old = hidden();
        await renamed(place, old);
        await rm(old, { recursive: true, force: true });
      }
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  };
  return {
    name: root,
    has: async (key) => isDone(placeIn(root, key)),
    async fetch(key, into) {
      const place = placeIn(root, key);
      if (!(await isDone(place))) throw missing(key);
      // What a single process made in the folder itself has no list.
      const files = (await exists(join(place, manifestName))) ? await listIn(place, key) : await filesOf(place);
      // The file that makes it complete comes last.
      for (const { name, bytes, sha256 } of lastOfAll(files)) {
        const file = join(into, name);
        if ((await lengthOf(place, name, key)) !== bytes) throw damaged(key, `${name} has another length`);
        await copyOne(join(place, name), file);
        if ((await sha256Of(file)) === sha256) continue;
        await rm(file, { force: true });
        throw damaged(key, `${name} has another hash`);
      }
    },
    publish: (key, from) => put(key, from, true),
    async replace(key, from) {
      await put(key, from, false);
    },
    remove: async (key) => rm(placeIn(root, key), { recursive: true, force: true }),
  };
}

/** Removes what killed workers left half written. Call it while nobody works with the store. */
export async function removeParts(root: string): Promise<void> {
  for (const kind of await readdir(root, { withFileTypes: true }).catch(() => [])) {
    if (!kind.isDirectory()) continue;
    for (const name of await readdir(join(root, kind.name)))
      if (/^\.[0-9a-f]{8}\.part$/.test(name)) await rm(join(root, kind.name, name), { recursive: true, force: true });
  }
}

async function listIn(place: string, key: string) {
  if ((await lengthOf(place, manifestName, key)) > largestManifest) throw damaged(key, "its list of files is too long");
  return parseManifest(await readFile(join(place, manifestName), "utf8"), key);
}

/**
 * The bytes of a file of a result.
 *
 * @throws TillerError `store-damaged` unless it is a file, and no link leads to it.
 */
async function lengthOf(place: string, name: string, key: string): Promise<number> {
  const file = join(place, name);
  const found = await stat(file).catch(() => undefined);
  if (!found) throw damaged(key, `${name} is missing`);
  if (!found.isFile() || (await realpath(file)) !== join(await realpath(place), name))
    throw damaged(key, `${name} is a link, or no file`);
  return found.size;
}

async function copyOne(from: string, to: string): Promise<void> {
  await makeFolder(dirname(to));
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const handle = await open(to, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames a folder; false if another is in the way, or if it is gone. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "EPERM" || code === "ENOENT") return false;
    throw error;
  }
}
