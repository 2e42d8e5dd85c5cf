/** Opens what a person named, refusing by name whatever is not a plain file: a FIFO would hang, a folder would crash. */
import { constants } from "node:fs";
import { access, type FileHandle, open, realpath, stat } from "node:fs/promises";
import { TillerError } from "../../errors.ts";

/** An open file: its path with links resolved, and its size in bytes. */
export interface OpenFile {
  readonly path: string;
  readonly size: number;
  readonly handle: FileHandle;
}

/**
 * Opens `file` for reading, hands it to `use`, closes it.
 *
 * @throws TillerError if it does not exist, may not be read, or is not a plain file.
 */
export async function withRegularFile<T>(file: string, use: (opened: OpenFile) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    const path = await realpath(file);
    if (!(await stat(path)).isFile()) throw new TillerError(`${file} is a folder or a device, not a file.`);
    // Non-blocking: should the path have become a FIFO meanwhile, opening it still returns.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const { size } = await handle.stat();
    return await use({ path, size, handle });
  } catch (error) {
    throw readable(error, file);
  } finally {
    await handle?.close();
  }
}

/** Fills `into` from byte `offset` on. Returns false if the file ends before. */
export async function readFully(handle: FileHandle, into: Uint8Array, offset: number): Promise<boolean> {
  for (let done = 0; done < into.byteLength; ) {
    const wanted = Math.min(into.byteLength - done, 1 << 30);
    const { bytesRead } = await handle.read(into, done, wanted, offset + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

/** Whether something lies there, links followed. */
export function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function readable(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof TillerError || code === undefined) return error;
  const reason: Record<string, string> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "may not be read: check its permissions",
    EPERM: "may not be read: check its permissions",
    ELOOP: "is a symbolic link that leads nowhere",
  };
  return new TillerError(`${file} ${reason[code] ?? `could not be read (${code})`}.`, { cause: error });
}
