/** Does units of any experiment whose description is in a store, for the queue of a fleet. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { TillerError } from "../errors/index.ts";
import { type Handler, keyPattern, makeWorkerFolder, type Store } from "../jobs/index.ts";
import type { DeviceName } from "../runtime/index.ts";
import { computeOf } from "./networks.ts";
import { readPlan, refuseOtherEngine } from "./shared-plan.ts";
import { unitJobs } from "./unit-jobs.ts";
import { openUnitWorker } from "./unit-worker.ts";
import { besideStore } from "./workplace.ts";

export interface ExperimentWorkerOptions {
  readonly store: Store;
  /** The models that it may open, by hash. */
  readonly allowed: ReadonlyMap<string, string>;
  readonly device?: DeviceName | undefined;
  readonly threads?: number | undefined;
}

const dataSchema = z.strictObject({ plan: z.string().regex(keyPattern) });

/** Its folder is a temporary one; those of workers that were killed are removed. */
export function openExperimentWorker({ store, allowed, device, threads }: ExperimentWorkerOptions): {
  readonly handler: Handler;
  close(): Promise<void>;
} {
  const root = makeWorkerFolder();
  let open: { readonly plan: string; readonly handler: Handler; close(): Promise<void> } | undefined;

  async function opened(plan: string, signal: AbortSignal) {
    if (open?.plan === plan) return open;
    // One experiment's networks at a time.
    await open?.close();
    open = undefined;
    const { experiment, named, identities, cells } = await readPlan(plan, store, join(root, plan), allowed);
    const compute = await computeOf({ ...experiment, precision: experiment.computed.precision }, { device, signal });
    refuseOtherEngine(experiment, compute.device);
    const workplace = besideStore(store);
    const jobs = unitJobs(cells, { plan, model: identities.model }, workplace.isDone);
    const worker = openUnitWorker({ experiment, named, compute, workplace, device, threads });
    open = { plan, handler: worker.handler(new Map(jobs.map((one) => [one.job.id, one]))), close: worker.close };
    return open;
  }

  return {
    async handler(job, at) {
      const data = dataSchema.safeParse(job.data);
      if (!data.success) throw new TillerError("job-invalid", `the job ${job.id} names no experiment.`);
      const { handler } = await opened(data.data.plan, at.signal);
      return handler(job, at);
    },
    async close() {
      await open?.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
