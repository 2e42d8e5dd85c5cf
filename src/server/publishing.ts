/** Puts what a job makes into the store while it runs: pictures at once, the rest every few seconds and at the end. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../internal.ts";
import { type HandlerContext, type Store, withCopies } from "../jobs/index.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Job } from "./jobs.ts";
import { pictureFile, pictureKey, readSoFar, type SoFar, soFarFile, soFarKey, soFarSchema } from "./order.ts";

/** Milliseconds between two versions of what a job has made so far, unless a picture is added. */
const patience = 2000;

export interface Publishing {
  /** The pictures of an earlier attempt. */
  readonly pictures: string[];
  /** A change of the job. */
  change(change: Partial<Job>): void;
  /** Publishes the result under a key. */
  finish(key: string, outcome: Partial<Job>): Promise<void>;
  /** Resolves when nothing is on its way to the store. */
  settled(): Promise<void>;
}

export async function publishing(
  id: string,
  data: DataFolder,
  store: Store,
  { signal, progress }: HandlerContext,
): Promise<Publishing> {
  const folder = join(data.jobs, "publishing");
  await makeFolder(folder);
  const before = (await store.has(soFarKey(id))) ? await readBefore() : [];
  const given = new Set(before);
  let made: SoFar = { pictures: [...before], warnings: [] };
  let pace: Job["progress"];
  let version = 0;
  /** When it was last put into the store, and whether it is just being put there. */
  let put = performance.now();
  let putting: Promise<void> | undefined;

  async function readBefore(): Promise<string[]> {
    const into = join(folder, "before");
    await store.fetch(soFarKey(id), into);
    return (await readSoFar(into)).pictures;
  }
  const tell = () => {
    const { done = 0, total = 1, what = "", ...times } = pace ?? {};
    progress({ done, total, what, detail: "", more: { ...times, version } });
  };
  async function putPictures(pictures: readonly string[]): Promise<void> {
    for (const picture of pictures) {
      if (given.has(picture)) continue;
      const files = { [pictureFile]: data.picture(picture) };
      await withCopies(files, (copies) => store.publish(pictureKey(picture), copies));
      given.add(picture);
    }
  }
  async function written(contents: SoFar): Promise<string> {
    const file = join(folder, soFarFile);
    await writeFile(file, JSON.stringify(contents));
    return file;
  }
  async function putSoFar(): Promise<void> {
    const now = made;
    await putPictures(now.pictures);
    const file = await written(now);
    await withCopies({ [soFarFile]: file }, (copies) => store.replace(soFarKey(id), copies));
    put = performance.now();
    version = Date.now();
    tell();
  }
  return {
    pictures: before,
    change({ progress: newPace, ...rest }) {
      if (newPace) pace = newPace;
      const { pictures = made.pictures, warnings = made.warnings, losses = made.losses } = rest;
      made = { pictures, warnings, losses };
      tell();
      const fresh = made.pictures.some((picture) => !given.has(picture));
      const stale = Object.keys(rest).length > 0 && performance.now() - put > patience;
      if (putting || signal.aborted || !(fresh || stale)) return;
      // If the store is away, it is tried again at the next change, and must be there at the end.
      putting = putSoFar()
        .catch(() => {})
        .finally(() => {
          putting = undefined;
        });
    },
    async settled() {
      await putting;
    },
    async finish(key, outcome) {
      await putting;
      made = soFarSchema.parse({ ...made, ...outcome });
      await putPictures(made.pictures);
      const names = (await readdir(data.adapters)).filter((name) => name.endsWith(".safetensors"));
      const adapters = names.map((name) => name.slice(0, -".safetensors".length));
      const files = Object.fromEntries(names.map((name) => [name, join(data.adapters, name)]));
      const file = await written({ ...made, adapters });
      await withCopies({ ...files, [soFarFile]: file }, (copies) => store.publish(key, copies));
    },
  };
}
