/** Words write errors of the file system. */
import { TillerError } from "../../errors/index.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "the folder is not writable",
  EPERM: "the folder is not writable",
  EROFS: "the disk is read-only",
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder is a file",
  EISDIR: "it is a folder",
  EEXIST: "it is a file",
  ENAMETOOLONG: "its name is too long",
};

/** What to throw when `path` could not be written: a TillerError for a file system error, else the error itself. */
export function refusal(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof TillerError || code === undefined) return error;
  return new TillerError("file-not-written", `${path} could not be written: ${reasons[code] ?? code}.`, {
    paths: [path],
    cause: error,
  });
}
