/** The folder of a run, used by one run at a time. */
import { hold, join, makeFolder, refuseUnwritable } from "#bytes";
import { TillerError } from "../../errors/index.ts";

/** The folder of a run's log, checkpoint, samples and class images: the adapter's name with the extension `.run`. */
export const runFolderOf = (out: string): string => out.replace(/\.safetensors$/, ".run");

/**
 * Makes the folder of the run that writes `out`, locks it, and returns a function that unlocks it.
 *
 * @throws TillerError if another run uses it, or if the folder or `out` cannot be written.
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
