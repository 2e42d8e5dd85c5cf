/** The server does its jobs itself, one at a time. */
import { type Handler, openJobs, queueOf } from "../jobs/index.ts";
import { type Delivery, orderKey } from "./delivery.ts";
import type { Job } from "./jobs.ts";
import type { RunJob } from "./run-job.ts";

/** All jobs are one queue, so that they are done in their order. */
const queue = queueOf("pictures", "here");

export async function deliverHere(run: RunJob): Promise<Delivery> {
  // As far as it can be known, another attempt in the same process fails in the same way.
  const jobs = await openJobs(undefined, { attempts: 1 });
  const ordered = new Map<string, Job>();
  const outcomes = new Map<string, Partial<Job>>();
  const handler: Handler = async ({ id }, { signal, progress }) => {
    const change = (more: Partial<Job>) => {
      const { done = 0, total = 1, what = "" } = more.progress ?? {};
      progress({ done, total, what, detail: "", more });
    };
    outcomes.set(id, await run(ordered.get(id)!, change, signal));
    return {};
  };
  return {
    jobs,
    here: true,
    async order(job) {
      const id = orderKey(job.id);
      ordered.set(id, job);
      return { id, kind: job.request.kind, queue, priority: 0, data: { job: job.id } };
    },
    isDone: async ({ id }) => outcomes.has(orderKey(id)),
    outcome: async ({ id }) => outcomes.get(orderKey(id))!,
    changes: async (_, { more }) => more as Partial<Job>,
    async release({ id }) {
      ordered.delete(orderKey(id));
      outcomes.delete(orderKey(id));
    },
    begin() {
      jobs.work([queue], handler);
    },
  };
}
