/** The engine on a server that machines share: BullMQ, on Redis or on PostgreSQL. It delivers each job at least once. */
import { EventEmitter } from "node:events";
import type { Job as BullJob, JobsOptions, JobType, Queue, QueueEvents, Worker } from "bullmq";
import { type BullConnection, connectBull } from "./bull-connection.ts";
import { noJobs } from "./embedded.ts";
import { errorFrom } from "./error-from-text.ts";
import {
  checkedJob,
  errorText,
  type Handler,
  isWrongCall,
  type JobAddress,
  type JobEvent,
  type JobProgress,
  type JobSpec,
  type JobState,
  type JobStatus,
  type Jobs,
  type Working,
} from "./job.ts";
import { type JobSettings, usualSettings } from "./settings.ts";

/** What the server keeps of a job, beside its id, name and priority. */
interface Kept {
  readonly data: unknown;
  /** Set by a cancellation: workers fail the job as soon as they see it. */
  readonly cancelled?: true;
}

/** Completed and failed jobs are forgotten after so many seconds, and beyond so many: the store knows what is done. */
const keptDone = { age: 24 * 3600, count: 10_000 };
const keptFailed = { age: 7 * 24 * 3600, count: 10_000 };

/** The failure of a cancelled job. */
const cancelledReason = "cancelled";

/** Jobs of one queue that a worker does before it looks into the others. */
const streak = 16;

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
  const queues = new Map<string, Queue>();
  const listening = new Map<string, QueueEvents>();
  const events = new EventEmitter().setMaxListeners(0);
  const workers = new Set<Working>();

  const queueNamed = (name: string): Queue => {
    let queue = queues.get(name);
    if (!queue) {
      queue = connection.queue(name);
      // Failures reach the calls; without a listener they would end the process.
      queue.on("error", () => {});
      queues.set(name, queue);
    }
    return queue;
  };
  const listenTo = (name: string) => {
    if (listening.has(name) || events.listenerCount("job") === 0) return;
    const heard = connection.events(name);
    heard.on("error", () => {});
    const tell = (event: JobEvent) => events.emit("job", event);
    heard.on("active", ({ jobId }) => tell({ id: jobId, state: "running" }));
    heard.on("completed", ({ jobId }) => tell({ id: jobId, state: "done" }));
    heard.on("failed", ({ jobId, failedReason }) =>
      tell({ id: jobId, state: failedReason === cancelledReason ? "cancelled" : "failed" }),
    );
    heard.on("progress", ({ jobId, data }) => tell({ id: jobId, progress: data as unknown as JobProgress }));
    listening.set(name, heard);
  };

  const ensure = async (jobs: readonly JobSpec[]): Promise<void> => {
    const byQueue = new Map<string, JobSpec[]>();
    for (const job of jobs.map(checkedJob)) byQueue.set(job.queue, [...(byQueue.get(job.queue) ?? []), job]);
    await connection.remember([...byQueue.keys()]);
    for (const [name, all] of byQueue) {
      listenTo(name);
      const queue = queueNamed(name);
      for (let at = 0; at < all.length; at += bulk) {
        const some = all.slice(at, at + bulk);
        // A known id would be ignored, whatever became of its job: what has ended is removed first.
        await Promise.all(
          some.map(async ({ id }) => {
            const job = (await queue.getJob(id)) as BullJob<Kept> | undefined;
            if (!job) return;
            const ended = (await job.isCompleted()) || (await job.isFailed()) || job.data.cancelled;
            // It may be running again already, or removed by another.
            if (ended) await job.remove().catch(() => {});
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

  return {
    ensure,
    async states(jobs) {
      const found = new Map<string, JobStatus>();
      await inTurns(jobs, async ({ id, queue }) => {
        const job = (await queueNamed(queue).getJob(id)) as BullJob<Kept> | undefined;
        const state = job ? await job.getState() : "unknown";
        if (!job || state === "unknown") return;
        found.set(id, statusOf(job, state));
      });
      return found;
    },
    async cancel(jobs: readonly JobAddress[]) {
      await inTurns(jobs, async ({ id, queue }) => {
        const job = (await queueNamed(queue).getJob(id)) as BullJob<Kept> | undefined;
        if (!job || (await job.isCompleted()) || (await job.isFailed())) return;
        // Whoever runs it or takes it up sees this; a waiting job cannot fail before that.
        await job.updateData({ ...job.data, cancelled: true }).catch(() => {});
        events.emit("job", { id, state: "cancelled" } satisfies JobEvent);
      });
    },
    events(listener) {
      events.on("job", listener);
      for (const name of queues.keys()) listenTo(name);
      return () => events.off("job", listener);
    },
    async counts() {
      const all = new Map<string, Record<JobState, number>>();
      for (const name of await connection.names()) {
        const counts = noJobs();
        const found = await queueNamed(name).getJobCounts(
          "wait",
          "prioritized",
          "delayed",
          "active",
          "completed",
          "failed",
        );
        counts.waiting = (found.wait ?? 0) + (found.waiting ?? 0) + (found.prioritized ?? 0) + (found.delayed ?? 0);
        counts.running = found.active ?? 0;
        counts.done = found.completed ?? 0;
        counts.failed = found.failed ?? 0;
        all.set(name, counts);
      }
      return all;
    },
    async list(name, state) {
      const found: JobSpec[] = [];
      for (const type of typesOf[state]) {
        const jobs = (await queueNamed(name).getJobs([type], 0, -1, true)) as (BullJob<Kept> | undefined)[];
        for (const job of jobs) if (job && statusOf(job, type).state === state) found.push(specOf(job, name));
      }
      return found;
    },
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
      await Promise.all([...listening.values(), ...queues.values()].map((one) => one.close().catch(() => {})));
      await connection.close();
    },
  };
}

interface WorkerParts {
  readonly connection: BullConnection;
  readonly queueNamed: (name: string) => Queue;
  readonly settings: JobSettings;
  readonly names: readonly string[];
  readonly handler: Handler;
  readonly ensure: (jobs: readonly JobSpec[]) => Promise<void>;
  readonly onWarning: (warning: string) => void;
}

/** Fetches and does jobs of several queues, one at a time. */
function startWorker({ connection, queueNamed, settings, names, handler, ensure, onWarning }: WorkerParts): Working {
  const { lock, renew, look, idle } = settings;
  const stop = new AbortController();
  const fetchers = new Map<string, Worker>();
  for (const name of names) {
    const worker = connection.worker(name, {
      lockDuration: lock,
      stalledInterval: lock / 4,
      // A worker that dies takes no attempt from the job, but a job that kills its workers must not run for ever.
      maxStalledCount: settings.attempts,
    });
    worker.on("error", () => {});
    worker.startStalledCheckTimer().catch(() => {});
    fetchers.set(name, worker);
  }
  let last: string | undefined;
  let sinceLast = 0;

  /** The next job: the last queue's first, whose model is loaded, but not for ever. */
  const fetchNext = async (token: string): Promise<[BullJob<Kept>, string] | undefined> => {
    const sticky = last !== undefined && sinceLast < streak;
    const order = sticky ? [last!, ...names.filter((name) => name !== last)] : rotated(names, last);
    for (const name of order) {
      const job = (await fetchers.get(name)!.getNextJob(token, { block: false })) as BullJob<Kept> | undefined;
      if (!job) continue;
      sinceLast = name === last ? sinceLast + 1 : 1;
      last = name;
      return [job, name];
    }
    return undefined;
  };

  async function perform(job: BullJob<Kept>, name: string, token: string): Promise<void> {
    const { UnrecoverableError } = await import("bullmq");
    const abort = new AbortController();
    const halt = () => abort.abort(stopping);
    stop.signal.addEventListener("abort", halt, { once: true });
    if (stop.signal.aborted) halt();
    const id = job.id!;
    const watch = setInterval(() => {
      queueNamed(name)
        .getJob(id)
        .then((found: BullJob<Kept> | undefined) => found?.data.cancelled && abort.abort(cancelling))
        .catch(() => {});
    }, look);
    let renewing = false;
    const renewal = setInterval(async () => {
      // While the server is away the call waits, and so does its answer.
      if (renewing) return;
      renewing = true;
      const held = await job.extendLock(token, lock).catch((error) => (isAway(error) ? 1 : 0));
      renewing = false;
      if (held !== 1) abort.abort(lost);
    }, renew);
    const report = throttled(look, (progress: JobProgress) => job.updateProgress(progress as object).catch(() => {}));
    let outcome: { readonly failed: Error } | { readonly waits: true } | undefined;
    try {
      if (job.data.cancelled) throw cancelling;
      const { next = [] } = await handler(specOf(job, name), { signal: abort.signal, progress: report.tell });
      if (next.length > 0) await insist(() => ensure(next), stop.signal);
    } catch (error) {
      if (abort.signal.reason === stopping) outcome = { waits: true };
      else if (error === cancelling || abort.signal.reason === cancelling)
        outcome = { failed: new UnrecoverableError(cancelledReason) };
      else {
        const text = errorText(error);
        outcome = { failed: isWrongCall(error) ? new UnrecoverableError(text) : new Error(text) };
      }
    } finally {
      clearInterval(watch);
      report.end();
      stop.signal.removeEventListener("abort", halt);
    }
    try {
      await insist(async () => {
        if (!outcome) await job.moveToCompleted({}, token, false);
        else if ("waits" in outcome) await job.moveToWait(token);
        else await job.moveToFailed(outcome.failed, token, false);
      }, undefined);
    } catch (error) {
      // Its lock is another's: whatever it did is in the store, and the other will find it there.
      onWarning(`the job ${id} was taken over by another worker: ${error instanceof Error ? error.message : error}`);
    } finally {
      clearInterval(renewal);
    }
  }

  const loop = async () => {
    await connection.remember(names).catch(() => {});
    let pause = 20;
    let number = 0;
    const own = `${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
    while (!stop.signal.aborted) {
      const token = `${own}-${number++}`;
      // PostgreSQL rejects calls while it is away.
      const found = await fetchNext(token).catch(() => undefined);
      if (found) {
        pause = 20;
        await perform(...found, token);
      } else {
        await sleep(pause, stop.signal);
        pause = Math.min(idle, pause * 2);
      }
    }
  };
  const over = loop();
  return {
    async close() {
      stop.abort();
      await over;
      await Promise.all([...fetchers.values()].map((one) => one.close(true).catch(() => {})));
    },
  };
}

/** Why a handler is aborted. */
const stopping = new Error("the worker stops");
const cancelling = new Error("the job was cancelled");
const lost = new Error("the job's lock was lost: another worker may have it");

const optionsOf = ({ attempts, backoff }: JobSettings): JobsOptions => ({
  attempts,
  backoff: { type: "exponential", delay: backoff },
  removeOnComplete: keptDone,
  removeOnFail: keptFailed,
  stackTraceLimit: 0,
});

const specOf = ({ id, name, data, opts }: BullJob<Kept>, queue: string): JobSpec =>
  checkedJob({ id, kind: name, queue, priority: opts.priority ?? 0, data: data.data });

/** BullMQ's states of each of ours. */
const typesOf: Readonly<Record<JobState, readonly JobType[]>> = {
  waiting: ["wait", "prioritized", "delayed"],
  running: ["active"],
  done: ["completed"],
  failed: ["failed"],
  cancelled: ["failed", "wait", "prioritized", "delayed"],
};

function statusOf({ data, failedReason }: BullJob<Kept>, state: string): JobStatus {
  if (state === "completed") return { state: "done" };
  if (data.cancelled || (state === "failed" && failedReason === cancelledReason)) return { state: "cancelled" };
  if (state === "failed") return { state: "failed", error: errorFrom(failedReason) };
  return { state: state === "active" ? "running" : "waiting" };
}

/** The names in their order, from the one after `last`. */
function rotated(names: readonly string[], last: string | undefined): readonly string[] {
  const from = last === undefined ? 0 : names.indexOf(last) + 1;
  return [...names.slice(from), ...names.slice(0, from)];
}

/** Whether the server is away or just starting. */
function isAway(error: unknown): boolean {
  const { code, message = "" } = error as { code?: string; message?: string };
  if (code !== undefined && /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|57P0|08)/.test(code))
    return true;
  return /connection (?:is closed|terminated|timeout)|timeout exceeded/i.test(message);
}

/** Repeats a call while the server is away. */
async function insist(call: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    try {
      await call();
      return;
    } catch (error) {
      if (!isAway(error) || signal?.aborted) throw error;
      await sleep(500, signal);
    }
  }
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
  });
}

/** Calls `send` with the latest value, at most once in so many milliseconds. */
function throttled<T>(milliseconds: number, send: (value: T) => unknown): { tell(value: T): void; end(): void } {
  let timer: NodeJS.Timeout | undefined;
  let latest: { readonly value: T } | undefined;
  const flush = () => {
    timer = undefined;
    if (!latest) return;
    const { value } = latest;
    latest = undefined;
    timer = setTimeout(flush, milliseconds);
    send(value);
  };
  return {
    tell(value) {
      latest = { value };
      if (timer === undefined) flush();
    },
    end: () => clearTimeout(timer),
  };
}

/** Calls `act` for each, so many at a time. */
async function inTurns<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += bulk) await Promise.all(all.slice(at, at + bulk).map(act));
}

/** The settings that are given. */
const defined = (options: Partial<JobSettings>): Partial<JobSettings> =>
  Object.fromEntries(
    Object.keys(usualSettings)
      .map((name) => [name, options[name as keyof JobSettings]] as const)
      .filter(([, value]) => value !== undefined),
  );
