/** Opens files by name, refusing anything but a plain file: a FIFO would hang, a folder would crash. */
import { constants } from "node:fs";
import { access, type FileHandle, open, readdir, realpath, stat } from "node:fs/promises";
import { TillerError } from "../../errors/index.ts";
import type { ByteSource } from "../source.ts";

/**
 * Opens `file` for reading, passes it to `use` and closes it. The source may be kept: later reads reopen the file.
 *
 * @throws TillerError if it does not exist, may not be read, or is not a plain file.
 */
export async function withSource<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  return withHandle(file, async (handle, path, size) => {
    let open = true;
    const source: ByteSource = {
      name: path,
      path,
      size,
      read: (at, length, memory) =>
        open ? readFrom(handle, at, length, memory) : withHandle(path, (later) => readFrom(later, at, length, memory)),
    };
    try {
      return await use(source);
    } finally {
      open = false;
    }
  });
}

async function withHandle<T>(
  file: string,
  use: (handle: FileHandle, path: string, size: number) => Promise<T>,
): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    const path = await realpath(file);
    if (!(await stat(path)).isFile())
      throw new TillerError("file-unreadable", `${file} is a folder or a device, not a file.`, { paths: [file] });
    // Non-blocking, so that opening returns even if the path has become a FIFO meanwhile.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const { size } = await handle.stat();
    return await use(handle, path, size);
  } catch (error) {
    throw readable(error, file);
  } finally {
    await handle?.close();
  }
}

async function readFrom(
  handle: FileHandle,
  at: number,
  length: number,
  memory = new ArrayBuffer(length),
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(memory, 0, length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 1 << 30), at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done === length ? bytes : bytes.subarray(0, done);
}

/** Whether the path exists, following links. */
export function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** What the path is, following links; undefined if it does not exist. */
export async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? "folder" : found?.isFile() ? "file" : undefined;
}

/** The names in a folder. */
export const list = (folder: string): Promise<string[]> => readdir(folder);

/** A stamp that changes when the file's contents may have changed. */
export async function stampOf(file: string): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  return `${size}|${mtimeMs}`;
}

function readable(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof TillerError || code === undefined) return error;
  const reason: Record<string, string> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "may not be read: check its permissions",
    EPERM: "may not be read: check its permissions",
    ELOOP: "is a broken symbolic link",
  };
  return new TillerError(
    reason[code]?.startsWith("does not exist") ? "file-missing" : "file-unreadable",
    `${file} ${reason[code] ?? `could not be read (${code})`}.`,
    { paths: [file], cause: error },
  );
}
