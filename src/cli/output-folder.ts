/** The folder that pictures go to, made and tried before anything is computed. */

import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../index.ts";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "it is not writable",
  EPERM: "it is not writable",
  EROFS: "the disk is read-only",
  ENOTDIR: "a part of its path is a file",
  EEXIST: "it is a file",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENAMETOOLONG: "its name is too long",
};

/** @throws TillerError if the folder cannot be made, or a file in it cannot. */
export async function prepareFolder(folder: string): Promise<void> {
  const trial = join(folder, `.tiller-${randomUUID().slice(0, 8)}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(trial, "x", { flag: "wx" });
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new TillerError(
      "file-not-written",
      `Pictures cannot be written to ${folder}: ${reasons[code] ?? code}. Choose another folder with --out.`,
      { paths: [folder], cause: error },
    );
  } finally {
    await rm(trial, { force: true }).catch(() => {});
  }
}
