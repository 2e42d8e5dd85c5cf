/** The engine on a server that machines share: BullMQ, on Redis or on PostgreSQL. It delivers each job at least once. */
import { EventEmitter } from "node:events";
import type { Job as BullJob, Queue, QueueEvents } from "bullmq";
import { TillerError } from "../errors/index.ts";
import { kept } from "../kept.ts";
import { insist, isAway } from "./away.ts";
import { connectBull } from "./bull-connect.ts";
import { cancelledReason, type Kept, optionsOf, specOf, statusOf, typesOf } from "./bull-job.ts";
import { discard, made } from "./bull-object.ts";
import { startWorker } from "./bull-worker.ts";
import { noJobs } from "./embedded.ts";
import {
  checkedJob,
  checkedProgress,
  type JobAddress,
  type JobEvent,
  type JobSpec,
  type JobState,
  type JobStatus,
  type Jobs,
  keyPattern,
  type Working,
} from "./job.ts";
import { type JobSettings, usualSettings } from "./settings.ts";

/** The most jobs of one call to the server. */
const bulk = 500;

export interface BullOptions extends Partial<JobSettings> {
  /** Allows a connection to another machine that is not encrypted. */
  readonly insecure?: boolean | undefined;
  /** Called with one sentence about what is dangerous or does not work. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** @throws TillerError if the server cannot be reached or may not be used. */
export async function openBull(address: string, options: BullOptions = {}): Promise<Jobs> {
  const { onWarning = () => {}, insecure = false } = options;
  const settings: JobSettings = { ...usualSettings, ...defined(options) };
  const connection = await connectBull(address, { insecure });
  for (const warning of connection.warnings) onWarning(warning);
  const queues = new Map<string, Promise<Queue>>();
  const listening = new Map<string, Promise<QueueEvents>>();
  const events = new EventEmitter().setMaxListeners(0);
  const workers = new Set<Working>();
  const closed = new AbortController();
  /** On PostgreSQL calls fail while the server is away, on Redis they wait: here they wait on both. */
  const patiently = <T>(call: () => Promise<T>): Promise<T> => insist(call, closed.signal);

  const queueNamed = (name: string): Promise<Queue> =>
    kept(queues, name, () => made(() => connection.queue(name), closed.signal));
  const jobNamed = async ({ id, queue }: JobAddress): Promise<BullJob<Kept> | undefined> =>
    readable(await queueNamed(queue), id);
  const listen = async (name: string): Promise<QueueEvents> => {
    const heard = await made(() => connection.events(name), closed.signal);
    const tell = (event: JobEvent) => events.emit("job", event);
    heard.on("active", ({ jobId }) => tell({ id: jobId, state: "running" }));
    heard.on("completed", ({ jobId }) => tell({ id: jobId, state: "done" }));
    heard.on("failed", ({ jobId, failedReason }) =>
      tell({ id: jobId, state: failedReason === cancelledReason ? "cancelled" : "failed" }),
    );
    heard.on("progress", ({ jobId, data }) => tell({ id: jobId, progress: checkedProgress(data) }));
    patiently(() => heard.run()).catch((error) => {
      if (!closed.signal.aborted) onWarning(`changes of jobs are noticed late: ${error.message}`);
    });
    return heard;
  };
  const listenTo = async (name: string): Promise<void> => {
    if (events.listenerCount("job") > 0) await kept(listening, name, () => listen(name));
  };

  const add = async (jobs: readonly JobSpec[]): Promise<void> => {
    const byQueue = new Map<string, JobSpec[]>();
    for (const job of jobs.map(checkedJob)) byQueue.set(job.queue, [...(byQueue.get(job.queue) ?? []), job]);
    await connection.remember([...byQueue.keys()]);
    for (const [name, all] of byQueue) {
      await listenTo(name);
      const queue = await queueNamed(name);
      for (let at = 0; at < all.length; at += bulk) {
        const some = all.slice(at, at + bulk);
        // A known id would be ignored, whatever became of its job: what has ended is removed first.
        await Promise.all(
          some.map(async ({ id }) => {
            const job = await readable(queue, id);
            if (!job) return;
            const ended = (await job.isCompleted()) || (await job.isFailed()) || job.data?.cancelled;
            // It may be running again already, or removed by another.
            if (ended) await job.remove().catch(unlessAway);
          }),
        );
        await queue.addBulk(
          some.map(({ id, kind, priority, data }) => ({
            name: kind,
            data: { data } satisfies Kept,
            opts: { ...optionsOf(settings), jobId: id, priority },
          })),
        );
      }
    }
  };

  const ensure = (jobs: readonly JobSpec[]) => patiently(() => add(jobs));

  return {
    ensure,
    states: (jobs) =>
      patiently(async () => {
        const found = new Map<string, JobStatus>();
        await inTurns(jobs, async (address) => {
          const job = await jobNamed(address);
          const state = job ? await job.getState() : "unknown";
          if (job && state !== "unknown") found.set(address.id, statusOf(job, state));
        });
        return found;
      }),
    cancel: (jobs) =>
      patiently(async () => {
        await inTurns(jobs, async (address) => {
          const job = await jobNamed(address);
          if (!job || (await job.isCompleted()) || (await job.isFailed())) return;
          // Whoever runs it or takes it up sees this; a waiting job cannot fail before that.
          await job.updateData({ ...job.data, cancelled: true }).catch(unlessAway);
          events.emit("job", { id: address.id, state: "cancelled" } satisfies JobEvent);
        });
      }),
    events(listener) {
      events.on("job", listener);
      for (const name of queues.keys()) listenTo(name).catch(() => {});
      return () => events.off("job", listener);
    },
    counts: () =>
      patiently(async () => {
        const all = new Map<string, Record<JobState, number>>();
        // Others may have written names there.
        const names = (await connection.names()).filter((name) => keyPattern.test(name));
        for (const name of names) all.set(name, await countsOf(await queueNamed(name)));
        return all;
      }),
    list: (name, state) =>
      patiently(async () => {
        const queue = await queueNamed(name);
        const ids = await queue.getRanges([...typesOf[state]], 0, -1, true);
        const found = await inTurns(ids, async (id): Promise<JobSpec[]> => {
          try {
            const job = await readable(queue, id);
            return job && statusOf(job, await job.getState()).state === state ? [specOf(job, name)] : [];
          } catch (error) {
            if (!(error instanceof TillerError)) throw error;
            onWarning(`the queue ${name} has a job that is none of Tiller's: ${error.message}`);
            return [];
          }
        });
        return found.flat();
      }),
    work(names, handler) {
      const working = startWorker({ connection, queueNamed, settings, names, handler, ensure, onWarning });
      const tracked: Working = {
        async close() {
          workers.delete(tracked);
          await working.close();
        },
      };
      workers.add(tracked);
      return tracked;
    },
    async close() {
      await Promise.all([...workers].map((one) => one.close()));
      closed.abort(new Error("the queue was left"));
      const objects = await Promise.allSettled([...listening.values(), ...queues.values()]);
      await Promise.all(objects.map(async (one) => one.status === "fulfilled" && discard(one.value)));
      await discard(connection);
    },
  };
}

/** @throws TillerError `job-invalid` if what is under the id cannot be read. */
async function readable(queue: Queue, id: string): Promise<BullJob<Kept> | undefined> {
  try {
    return (await queue.getJob(id)) as BullJob<Kept> | undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new TillerError(
      "job-invalid",
      `the job ${JSON.stringify(id.slice(0, 80))} cannot be read: ${error.message}.`,
    );
  }
}

async function countsOf(queue: Queue): Promise<Record<JobState, number>> {
  const found = await queue.getJobCounts("wait", "prioritized", "delayed", "active", "completed", "failed");
  const counts = noJobs();
  counts.waiting = (found.wait ?? 0) + (found.waiting ?? 0) + (found.prioritized ?? 0) + (found.delayed ?? 0);
  counts.running = found.active ?? 0;
  counts.done = found.completed ?? 0;
  counts.failed = found.failed ?? 0;
  return counts;
}

/** For calls of a job that may have ended or been removed by another in the meantime. */
function unlessAway(error: unknown): void {
  if (isAway(error)) throw error;
}

/** Calls `act` for each, so many at a time; returns what it returned, in order. */
async function inTurns<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += bulk) results.push(...(await Promise.all(all.slice(at, at + bulk).map(act))));
  return results;
}

/** The settings that are given. */
const defined = (options: Partial<JobSettings>): Partial<JobSettings> =>
  Object.fromEntries(
    Object.keys(usualSettings)
      .map((name) => [name, options[name as keyof JobSettings]] as const)
      .filter(([, value]) => value !== undefined),
  );
