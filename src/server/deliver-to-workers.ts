/** Workers on any machine do the server's jobs: a queue brings them there, and a store brings back what they make. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { allowedModels } from "../experiments/fleet.ts";
import { type PrecisionName, TillerError } from "../index.ts";
import { exists, writeWhole } from "../internal.ts";
import { inFolder, type Jobs, openJobs, openStore, queueOf, type Store, share, shareText } from "../jobs/index.ts";
import { kept } from "../kept.ts";
import type { DataFolder } from "./data-folder.ts";
import { type Delivery, orderKey } from "./delivery.ts";
import type { Job } from "./jobs.ts";
import type { Models } from "./models.ts";
import {
  type Order,
  orderedSchema,
  orderFile,
  pictureFile,
  pictureKey,
  readSoFar,
  soFarKey,
  toldSchema,
} from "./order.ts";

/** A queue and a store that workers share with the server. */
export interface StudioFleet {
  /** `redis://` or `rediss://`. */
  readonly queue: string;
  /** A folder that all of them have, or `s3://bucket/prefix`. */
  readonly store: string;
  /** Allows a connection to another machine that is not encrypted. */
  readonly insecure?: boolean | undefined;
}

export interface ServerParts {
  readonly data: DataFolder;
  readonly models: Models;
  /** Of jobs that name none. */
  readonly precision?: PrecisionName | undefined;
}

/** @throws TillerError if the queue or the store cannot be used. */
export async function openFleet(
  { queue, store, insecure = false }: StudioFleet,
  parts: ServerParts,
): Promise<Delivery> {
  const opened = await openStore(store, { insecure });
  const jobs = await openJobs(queue, { insecure, onWarning: (warning) => process.emitWarning(warning) });
  return deliverToWorkers(jobs, opened, parts);
}

export function deliverToWorkers(jobs: Jobs, store: Store, { data, models, precision }: ServerParts): Delivery {
  /** Hashed once, when a job first needs it. */
  const hashes = new Map<string, Promise<string>>();
  const hashOf = (source: string): Promise<string> =>
    kept(hashes, source, async () => [...(await allowedModels([source])).keys()][0]!);
  /** Of what each running job has made so far, the version that is here, and whether another is on its way. */
  const versions = new Map<string, number>();
  const fetching = new Set<string>();
  const orders = new Map<string, string>();

  /** Brings pictures into the server's folder that are not there yet. */
  async function bringPictures({ id, pictures: here }: Job, pictures: readonly string[]): Promise<void> {
    for (const picture of pictures) {
      if (!picture.startsWith(`${id}-`)) throw new TillerError("job-invalid", `${picture} is no picture of ${id}.`);
      if (here.includes(picture)) continue;
      await fetched(pictureKey(picture), async (folder) => {
        await writeWhole(data.picture(picture), await readFile(join(folder, pictureFile)));
      });
    }
  }
  const fetched = <T>(key: string, use: (folder: string) => Promise<T>): Promise<T> =>
    inFolder(async (folder) => {
      await store.fetch(key, folder);
      return use(folder);
    });

  async function order(job: Job) {
    const { id, request } = job;
    const chosen = models.get(request.model);
    const hash = await hashOf(chosen.source);
    const order: Order = {
      form: 1,
      id,
      request: { ...request, model: chosen.name },
      models: { [chosen.name]: hash },
      adapters: {},
      uploads: {},
      precision,
    };
    if (request.kind === "training") order.uploads[request.upload] = await shareUpload(request.upload);
    else {
      const base = request.base === undefined ? undefined : models.get(request.base);
      if (base) order.models[base.name] = await hashOf(base.source);
      for (const { name } of request.adapters) {
        const file = data.adapter(name);
        if (!(await exists(file))) throw new TillerError("adapter-unknown", `there is no adapter ${name} here.`);
        order.adapters[name] = await share("adapter", { [`${name}.safetensors`]: file }, store);
      }
      for (const upload of [request.request.image, request.request.mask])
        if (upload !== undefined) order.uploads[upload] = await shareUpload(upload);
    }
    const key = await shareText("order", orderFile, JSON.stringify(order), store);
    orders.set(id, key);
    const { kind } = request;
    return {
      id: orderKey(id),
      kind,
      queue: queueOf(kind, hash),
      priority: 0,
      data: orderedSchema.parse({ order: key }),
    };
  }
  async function shareUpload(upload: string): Promise<string> {
    const folder = data.upload(upload);
    if (!(await exists(folder)))
      throw new TillerError("pictures-gone", "these pictures are no longer here: upload them again.");
    const names = (await readdir(folder)).filter((name) => name.endsWith(".png"));
    return share("images", Object.fromEntries(names.map((name) => [name, join(folder, name)])), store);
  }

  return {
    jobs,
    here: false,
    order,
    // If the store does not answer, workers notice as well, and the job fails when they have tried.
    isDone: ({ id }) => store.has(orderKey(id)).catch(() => false),
    outcome: (job) =>
      fetched(orderKey(job.id), async (folder) => {
        const { adapters = [], ...made } = await readSoFar(folder);
        await bringPictures(job, made.pictures);
        for (const name of adapters) {
          if (job.request.kind !== "training" || !name.startsWith(job.request.name))
            throw new TillerError("job-invalid", `${name} is no adapter of ${job.id}.`);
          await writeWhole(data.adapter(name), await readFile(join(folder, `${name}.safetensors`)));
        }
        return made;
      }),
    async changes(job, { done, total, what, more }) {
      const told = toldSchema.safeParse(more);
      if (!told.success) return {};
      const { version, ...pace } = told.data;
      const changes: Partial<Job> = { progress: { done, total, what, ...pace } };
      if (version === (versions.get(job.id) ?? 0) || fetching.has(job.id)) return changes;
      fetching.add(job.id);
      try {
        const { pictures, warnings, losses } = await fetched(soFarKey(job.id), readSoFar);
        await bringPictures(job, pictures);
        versions.set(job.id, version);
        return { ...changes, pictures, warnings, ...(losses && { losses }) };
      } catch {
        // The next progress tells again, and in the end all of it comes with the result.
        return changes;
      } finally {
        fetching.delete(job.id);
      }
    },
    async release({ id, state, pictures }) {
      const order = orders.get(id);
      orders.delete(id);
      versions.delete(id);
      if (order) await store.remove(order);
      // Of those of a job that was stopped, the server may not have heard.
      const made = state === "done" ? undefined : await fetched(soFarKey(id), readSoFar).catch(() => undefined);
      for (const picture of new Set([...pictures, ...(made?.pictures ?? [])])) await store.remove(pictureKey(picture));
      for (const key of [soFarKey(id), orderKey(id)]) await store.remove(key);
    },
    begin() {},
  };
}
