/** The folder of a run, used by one run at a time. */
import { exists, hold, join, makeFolder, refuseUnwritable } from "#bytes";
import { TillerError } from "../../errors/index.ts";

/** The folder of a run's log, checkpoint, samples and class images: the adapter's or network's name with the extension `.run`. */
export const runFolderOf = (out: string): string => `${out.replace(/\.safetensors$|\/+$/, "")}.run`;

/**
 * Makes the folder of the run that writes `out`, locks it, and returns a function that unlocks it.
 *
 * @param network Whether `out` is the folder of a network.
 * @throws TillerError if another run uses it, if the folder or `out` cannot be written, or if `out` holds a whole model.
 */
export async function takeRunFolder(out: string, network = false): Promise<() => Promise<void>> {
  const folder = runFolderOf(out);
  await makeFolder(folder);
  if (network) await takeNetworkFolder(out);
  else await refuseUnwritable(out);
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

/** Makes the folder that a network is written to. */
async function takeNetworkFolder(out: string): Promise<void> {
  await makeFolder(out);
  const index = join(out, "model_index.json");
  await refuseUnwritable(index);
  if (!(await exists(index))) return;
  throw new TillerError(
    "file-not-written",
    `${out} holds a whole model, whose network would be replaced: choose another --out.`,
    { paths: [out] },
  );
}
