/** Does Studio's jobs for a queue: what they need comes from the store, and what they make goes there. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type DeviceName, TillerError } from "../index.ts";
import { makeFolder } from "../internal.ts";
import { fetchShared, type Handler, makeWorkerFolder, type Store } from "../jobs/index.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { orderKey } from "./delivery.ts";
import type { Job } from "./jobs.ts";
import { modelsAllowed } from "./models.ts";
import { type Order, orderedSchema, readOrder } from "./order.ts";
import { keepPipelines } from "./pipelines.ts";
import { type Publishing, publishing } from "./publishing.ts";
import { runJobIn } from "./run-job.ts";
import { withCheckpoint } from "./shared-checkpoint.ts";
import { usualMostWork } from "./work.ts";

export interface StudioWorkerOptions {
  readonly store: Store;
  /** The models that it may open, by hash. */
  readonly allowed: ReadonlyMap<string, string>;
  readonly device?: DeviceName | undefined;
  readonly threads?: number | undefined;
  /** The most megapixel-steps of one request: 20,000 by default. */
  readonly mostWork?: number | undefined;
}

/** Its folder is a temporary one; it keeps the pipeline of its last job open. */
export function openStudioWorker({ store, allowed, device, threads, mostWork = usualMostWork }: StudioWorkerOptions): {
  readonly handler: Handler;
  close(): Promise<void>;
} {
  const root = makeWorkerFolder();
  const pipelines = keepPipelines({ device, threads });

  /** The job's folder, with what it needs. */
  async function prepared({ adapters, uploads }: Order, folder: string): Promise<DataFolder> {
    const data = await openDataFolder(folder);
    for (const [upload, key] of Object.entries(uploads)) await fetchShared(key, data.upload(upload), store);
    // Adapters stay where they are as long as jobs use them, so that the pipeline knows them.
    const kept = join(root, "adapters");
    await makeFolder(kept);
    const keys = new Map(Object.entries(adapters));
    const needed = new Set(keys.values());
    const there = await readdir(kept);
    for (const key of there) if (!needed.has(key)) await rm(join(kept, key), { recursive: true });
    for (const key of needed) if (!there.includes(key)) await fetchShared(key, join(kept, key), store);
    const fileOf = (name: string) => {
      const key = keys.get(name);
      const own = data.adapter(name);
      return key === undefined ? own : join(kept, key, `${name}.safetensors`);
    };
    return { ...data, adapter: fileOf };
  }

  return {
    async handler(spec, at) {
      const parsed = orderedSchema.safeParse(spec.data);
      if (!parsed.success) throw new TillerError("job-invalid", `the job ${spec.id} names no order.`);
      if (await store.has(spec.id)) return {};
      const folder = join(root, "job");
      await rm(folder, { recursive: true, force: true });
      let giving: Publishing | undefined;
      try {
        const order = await readOrder(parsed.data.order, join(folder, "order"), store);
        const { id, request, precision } = order;
        if (spec.id !== orderKey(id) || spec.kind !== request.kind)
          throw new TillerError("job-invalid", `the job ${spec.id} is not the one of its order.`);
        const models = modelsAllowed(order.models, allowed);
        const data = await prepared(order, folder);
        const run = runJobIn({ data, models, pipelines, mostWork, device, precision, threads });
        const doing = request.kind === "training" ? withCheckpoint(run, request, order, data, store) : run;
        giving = await publishing(id, data, store, at);
        const { pictures, change } = giving;
        const job: Job = { id, state: "running", request, created: 0, pictures, warnings: [], starts: 1 };
        await giving.finish(spec.id, await doing(job, change, at.signal));
        return { pictures: pictures.length };
      } finally {
        await giving?.settled();
        await rm(folder, { recursive: true, force: true });
      }
    },
    async close() {
      await pipelines.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
