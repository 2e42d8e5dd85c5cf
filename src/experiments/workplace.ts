/** Where a worker does units: in the experiment's own folder, or in a folder of its own beside a store. */
import { cp, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "#bytes";
import { placeIn, type Store } from "../jobs/index.ts";
import type { AdapterUnit, PictureUnit } from "./plan.ts";
import { isFinished } from "./store.ts";
import { adapterKey, checkpointKey, classKey, featuresKey, picturesKey, type UnitWork } from "./unit-jobs.ts";
import { classPlace, isMeasured } from "./units-left.ts";

export interface Workplace {
  /** Whether a unit's result is where everybody finds it. */
  isDone(work: UnitWork): Promise<boolean>;
  /** Makes a result that is there available in the unit's folder; false if there is none. */
  bring(work: UnitWork): Promise<boolean>;
  /** Makes the result in the unit's folder available to everybody; if another was first, the folder has the other's now. */
  give(work: UnitWork): Promise<void>;
  /** The same for a unit's features. */
  giveFeatures(unit: PictureUnit): Promise<void>;
  /** Continues another's training. */
  bringCheckpoint(adapter: AdapterUnit): Promise<boolean>;
  giveCheckpoint(adapter: AdapterUnit): Promise<void>;
}

/** The folder that one run works in: results are where they are made. */
export const inPlace: Workplace = {
  isDone: isThere,
  // Pictures that were drawn may lack features.
  bring: async (work) => (work.kind === "pictures" ? isFinished(work.unit.folder) : isThere(work)),
  give: async () => {},
  giveFeatures: async () => {},
  bringCheckpoint: async () => false,
  giveCheckpoint: async () => {},
};

/** Whether a result is in the folder of its unit. */
export async function isThere(work: UnitWork): Promise<boolean> {
  if (work.kind === "pictures") return isMeasured(work.unit);
  return isFinished(work.kind === "class" ? classPlace(work.adapter) : work.adapter.folder);
}

/** A folder whose results go to a store, from which others take them. */
export function besideStore(store: Store): Workplace {
  const isDone = async (work: UnitWork) =>
    (await store.has(keyOfWork(work))) && (work.kind !== "pictures" || (await store.has(picturesKey(work.unit))));
  return {
    isDone,
    async bring(work) {
      if (work.kind !== "pictures" && (await isThere(work))) return true;
      const key = work.kind === "pictures" ? picturesKey(work.unit) : keyOfWork(work);
      if (!(await store.has(key))) return false;
      await store.fetch(key, folderOf(work));
      return true;
    },
    async give(work) {
      const key = work.kind === "pictures" ? picturesKey(work.unit) : keyOfWork(work);
      const folder = folderOf(work);
      if (work.kind === "adapter") await rm(checkpointFile(work.adapter), { force: true });
      if (await store.publish(key, folder)) {
        if (work.kind === "adapter") await store.remove(checkpointKey(work.adapter));
        return;
      }
      await rm(folder, { recursive: true, force: true });
      await store.fetch(key, folder);
    },
    async giveFeatures(unit) {
      const folder = placeIn(dirname(dirname(unit.folder)), featuresKey(unit));
      await makeFolder(folder);
      for (const file of Object.values(unit.features)) await cp(file, join(folder, basename(file)));
      await store.publish(featuresKey(unit), folder);
      // Pictures are not needed again, unlike adapters.
      for (const done of [folder, unit.folder]) await rm(done, { recursive: true, force: true });
    },
    async bringCheckpoint(adapter) {
      const key = checkpointKey(adapter);
      if (!(await store.has(key))) return false;
      await store.fetch(key, adapter.folder);
      return true;
    },
    giveCheckpoint: (adapter) => store.replace(checkpointKey(adapter), adapter.folder),
  };
}

/** Copies a finished unit from a store into its folder, unless it is there. */
export async function collect(work: UnitWork, store: Store): Promise<void> {
  if (await isThere(work)) return;
  const key = work.kind === "pictures" ? picturesKey(work.unit) : keyOfWork(work);
  const folder = folderOf(work);
  if (work.kind !== "pictures" || !(await isFinished(folder))) await store.fetch(key, folder);
  if (work.kind === "pictures") await store.fetch(featuresKey(work.unit), folder);
}

/** The key whose presence means that all of a unit's results are there. */
function keyOfWork(work: UnitWork): string {
  if (work.kind === "class") return classKey(work.adapter);
  return work.kind === "adapter" ? adapterKey(work.adapter) : featuresKey(work.unit);
}

function folderOf(work: UnitWork): string {
  if (work.kind === "class") return work.adapter.classFolder;
  return work.kind === "adapter" ? work.adapter.folder : work.unit.folder;
}

export const checkpointFile = ({ folder }: AdapterUnit): string =>
  join(folder, "adapter.run", "checkpoint.safetensors");
