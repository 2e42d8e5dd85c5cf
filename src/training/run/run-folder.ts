/** The folder of a run, which one run works in at a time. */
import { access, constants, lstat, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hold } from "../../bytes/node/lock.ts";
import { refusal } from "../../bytes/node/refusal.ts";
import { TillerError, UsageError } from "../../errors.ts";

/** The folder of a run's log, checkpoint, samples and class pictures: the adapter's name with `.run` for its extension. */
export const runFolderOf = (out: string): string => out.replace(/\.safetensors$/, ".run");

/**
 * Makes the folder of the run that leaves `out`, takes it for this run alone, and returns what gives it back.
 *
 * @throws UsageError if another run works in it; TillerError if the disk refuses, or will refuse `out`.
 */
export async function takeRunFolder(out: string): Promise<() => Promise<void>> {
  const folder = runFolderOf(out);
  await makeFolder(folder);
  await refuseUnwritable(out);
  const lock = join(folder, "lock");
  const release = await hold(lock).catch((error: unknown) => {
    throw refusal(error, lock);
  });
  if (!release) {
    throw new UsageError(
      `another run works in ${folder}: wait for it, or choose another --out; if there is none, remove ${lock}`,
    );
  }
  return release;
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new TillerError(
      `${folder} cannot be made (${error.code}); choose an --out in a folder you can write to, not in ${dirname(folder)}.`,
      { cause: error },
    );
  });
}

/** The adapter is written when all is learned: that it cannot be is to be known before. */
async function refuseUnwritable(out: string): Promise<void> {
  const there = await lstat(out).catch(() => undefined);
  if (there?.isDirectory()) {
    throw new TillerError(`${out} cannot be written: it is a folder; remove it, or choose another --out.`);
  }
  await access(dirname(out), constants.W_OK).catch((error: unknown) => {
    throw refusal(error, out);
  });
}
