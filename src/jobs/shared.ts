/** What jobs need, in a store under keys made from its contents: equal files are there once, and whoever fetches them checks them. */
import { constants, copyFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256Of } from "../bytes/hash-file.ts";
import { digestOf } from "../bytes/node/digest.ts";
import { damaged, filesOf, manifestText, type StoredFile } from "./manifest.ts";
import type { Store } from "./store.ts";
import { inFolder } from "./worker-folder.ts";

/** Files by their names in the store. */
export type Files = Readonly<Record<string, string>>;

/** Puts files into a store, unless they are there, and returns their key. */
export async function share(kind: string, files: Files, store: Store): Promise<string> {
  const listed: StoredFile[] = [];
  for (const name of Object.keys(files).sort()) {
    const file = files[name]!;
    listed.push({ name, bytes: (await stat(file)).size, sha256: await sha256Of(file) });
  }
  const key = contentKey(kind, listed);
  if (!(await store.has(key))) await withCopies(files, (folder) => store.publish(key, folder));
  return key;
}

/** The same for a text, as a file of that name. */
export async function shareText(kind: string, name: string, text: string, store: Store): Promise<string> {
  return inFolder(async (folder) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return share(kind, { [name]: file }, store);
  });
}

/**
 * Fetches what was shared under a key into a new folder.
 *
 * @throws TillerError `result-missing` or `store-damaged` if it is gone, or not what the key says.
 */
export async function fetchShared(key: string, into: string, store: Store): Promise<void> {
  try {
    await store.fetch(key, into);
    if (contentKey(key.split("-")[0]!, await filesOf(into)) !== key) throw damaged(key, "its files are others");
  } catch (error) {
    await rm(into, { recursive: true, force: true });
    throw error;
  }
}

/** Calls `use` with a temporary folder that has copies of files. */
export function withCopies<T>(files: Files, use: (folder: string) => Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    for (const [name, file] of Object.entries(files))
      await copyFile(file, join(folder, name), constants.COPYFILE_FICLONE);
    return use(folder);
  });
}

const contentKey = (kind: string, files: readonly StoredFile[]): string => `${kind}-${digestOf(manifestText(files))}`;
