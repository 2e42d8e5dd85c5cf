/** The page's private file system (OPFS). A written stream replaces the file when it is closed, so writes are atomic. */
import { TillerError } from "../../errors/index.ts";
import { basename, dirname, scheme } from "./paths.ts";

export const ofPage = (path: string): boolean => path.startsWith(scheme);

const absent = (path: string, cause: unknown) =>
  new TillerError("file-missing", `${path} does not exist.`, { paths: [path], cause });

export async function folderAt(path: string, options: { create?: boolean } = {}): Promise<Folder> {
  let folder = (await navigator.storage.getDirectory()) as Folder;
  for (const name of path.slice(scheme.length).split("/")) {
    if (name === "") continue;
    folder = (await folder.getDirectoryHandle(name, options).catch((error: unknown) => {
      throw absent(path, error);
    })) as Folder;
  }
  return folder;
}

/** TypeScript's types lack iteration over a folder. */
type Folder = FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };

export async function storedFile(path: string): Promise<File> {
  const folder = await folderAt(dirname(path));
  const handle = await folder.getFileHandle(basename(path)).catch((error: unknown) => {
    throw absent(path, error);
  });
  return handle.getFile();
}

async function writable(path: string, options?: FileSystemCreateWritableOptions) {
  if (!ofPage(path))
    throw new TillerError(
      "file-not-written",
      `${path} is an address, which cannot be written to: use a path in ${scheme}/.`,
      { paths: [path] },
    );
  const folder = await folderAt(dirname(path));
  return (await folder.getFileHandle(basename(path), { create: true })).createWritable(options);
}

export async function writeAtomically(
  file: string,
  write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const stream = await writable(file);
  try {
    await write((bytes) => stream.write(bytes as Uint8Array<ArrayBuffer>));
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => {});
    if (error instanceof DOMException && error.name === "QuotaExceededError") {
      throw new TillerError("file-not-written", `${file} could not be written: the page's storage quota is used up.`, {
        paths: [file],
        cause: error,
      });
    }
    throw error;
  }
}

export async function appendText(file: string, text: string): Promise<void> {
  const stream = await writable(file, { keepExistingData: true });
  const { size } = await storedFile(file);
  await stream.write({ type: "write", position: size, data: text });
  await stream.close();
}

export async function remove(file: string): Promise<void> {
  await (await folderAt(dirname(file))).removeEntry(basename(file));
}

export async function makeFolder(folder: string): Promise<void> {
  await folderAt(folder, { create: true });
}

export async function refuseUnwritable(file: string): Promise<void> {
  await folderAt(dirname(file));
}

/** A lock across the browser's tabs. */
export function hold(lock: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(lock, { ifAvailable: true }, (granted) => {
      if (!granted) return resolve(undefined);
      return new Promise<void>((release) => resolve(async () => release()));
    });
    held.catch(reject);
  });
}
