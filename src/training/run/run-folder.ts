/** The folder of a run, which one run works in at a time. */
import { hold, join, makeFolder, refuseUnwritable } from "#bytes";
import { TillerError } from "../../errors/index.ts";

/** The folder of a run's log, checkpoint, samples and class pictures: the adapter's name with `.run` for its extension. */
export const runFolderOf = (out: string): string => out.replace(/\.safetensors$/, ".run");

/**
 * Makes the folder of the run that leaves `out`, takes it for this run alone, and returns what gives it back.
 *
 * @throws TillerError if another run works in it; or if the disk refuses, or will refuse `out`.
 */
export async function takeRunFolder(out: string): Promise<() => Promise<void>> {
  const folder = runFolderOf(out);
  await makeFolder(folder);
  await refuseUnwritable(out);
  const lock = join(folder, "lock");
  const release = await hold(lock);
  if (!release) {
    throw new TillerError(
      "folder-in-use",
      `another run is working in ${folder}: wait for it, or choose another --out; if there is none, remove ${lock}.`,
      { paths: [folder, lock] },
    );
  }
  return release;
}
