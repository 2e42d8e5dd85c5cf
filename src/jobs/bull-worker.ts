/** Does the jobs of a server that machines share. */
import type { Job as BullJob, Queue, Worker } from "bullmq";
import { orAborted } from "../aborted.ts";
import { insist, insistUntil, isAway, sleep } from "./away.ts";
import type { BullConnection } from "./bull-connection.ts";
import { cancelledReason, type Kept, specOf } from "./bull-job.ts";
import { discard, made } from "./bull-object.ts";
import { errorText, type Handler, isWrongCall, type JobProgress, type JobSpec, type Working } from "./job.ts";
import type { JobSettings } from "./settings.ts";

interface WorkerParts {
  readonly connection: BullConnection;
  readonly queueNamed: (name: string) => Promise<Queue>;
  readonly settings: JobSettings;
  readonly names: readonly string[];
  readonly handler: Handler;
  readonly ensure: (jobs: readonly JobSpec[]) => Promise<void>;
  readonly onWarning: (warning: string) => void;
}

/** Jobs of one queue that a worker does before it looks into the others. */
const streak = 16;

/** Fetches and does jobs of several queues, one at a time. */
export function startWorker(parts: WorkerParts): Working {
  const { connection, queueNamed, settings, names, handler, ensure, onWarning } = parts;
  const { lock, renew, look, idle } = settings;
  const stop = new AbortController();
  const fetchers = new Map<string, Worker>();
  let last: string | undefined;
  let sinceLast = 0;

  const fetcher = async (name: string): Promise<Worker> => {
    const known = fetchers.get(name);
    if (known) return known;
    const make = () =>
      connection.worker(name, {
        lockDuration: lock,
        stalledInterval: lock / 4,
        // A worker that dies takes no attempt from the job, but a job that kills its workers must not run for ever.
        maxStalledCount: settings.attempts,
      });
    const worker = await made(make, stop.signal);
    fetchers.set(name, worker);
    worker.startStalledCheckTimer().catch(() => {});
    return worker;
  };

  /** The next job: the last queue's first, whose model is loaded, but not for ever. */
  const fetchNext = async (token: string): Promise<[BullJob<Kept>, string] | undefined> => {
    const sticky = last !== undefined && sinceLast < streak;
    const order = sticky ? [last!, ...names.filter((name) => name !== last)] : rotated(names, last);
    for (const name of order) {
      const worker = await fetcher(name);
      const job = (await worker.getNextJob(token, { block: false })) as BullJob<Kept> | undefined;
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
    // While the server is away calls wait, and so do these answers.
    const watch = repeatedly(look, async () => {
      const queue = await queueNamed(name);
      const found = (await queue.getJob(id)) as BullJob<Kept> | undefined;
      if (found?.data?.cancelled) abort.abort(cancelling);
    });
    const renewal = repeatedly(renew, async () => {
      const held = await job.extendLock(token, lock).catch((error) => (isAway(error) ? 1 : 0));
      if (held !== 1) abort.abort(lost);
    });
    const report = throttled(look, (progress: JobProgress) => job.updateProgress(progress as object).catch(() => {}));
    let outcome: { readonly failed: Error } | { readonly waits: true } | undefined;
    try {
      if (job.data?.cancelled) throw cancelling;
      const { next = [] } = await handler(specOf(job, name), { signal: abort.signal, progress: report.tell });
      if (next.length > 0) await orAborted(ensure(next), stop.signal);
    } catch (error) {
      if (abort.signal.reason === stopping) outcome = { waits: true };
      else if (error === cancelling || abort.signal.reason === cancelling)
        outcome = { failed: new UnrecoverableError(cancelledReason) };
      else {
        const text = errorText(error);
        outcome = { failed: isWrongCall(error) ? new UnrecoverableError(text) : new Error(text) };
      }
    } finally {
      watch.end();
      report.end();
      stop.signal.removeEventListener("abort", halt);
    }
    const tell = async () => {
      if (!outcome) await job.moveToCompleted({}, token, false);
      else if ("waits" in outcome) await job.moveToWait(token);
      else await job.moveToFailed(outcome.failed, token, false);
    };
    try {
      await insistUntil(tell, stop.signal, renew);
    } catch (error) {
      // If the server is away, the lock ends by itself. If the lock is another's, whatever was done is in the store, and the other
      // will find it there.
      const why =
        error === stopping
          ? "waits until its lock ends, for the server is away"
          : `was taken over by another worker: ${messageOf(error)}`;
      onWarning(`the job ${id} ${why}`);
    } finally {
      renewal.end();
    }
  }

  const loop = async () => {
    let pause = 20;
    let number = 0;
    let complaint = "";
    const own = `${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
    while (!stop.signal.aborted) {
      const token = `${own}-${number++}`;
      let found: [BullJob<Kept>, string] | undefined;
      try {
        found = await insistUntil(() => fetchNext(token), stop.signal, renew);
      } catch (error) {
        if (stop.signal.aborted) break;
        if (complaint !== messageOf(error)) onWarning(`jobs cannot be fetched: ${messageOf(error)}`);
        complaint = messageOf(error);
      }
      if (found) {
        pause = 20;
        await perform(...found, token);
      } else {
        await sleep(pause, stop.signal);
        pause = Math.min(idle, pause * 2);
      }
    }
  };
  // For those who look at queues that were never used.
  insist(() => connection.remember(names), stop.signal).catch(() => {});
  const over = loop();
  return {
    async close() {
      stop.abort(stopping);
      await over;
      await Promise.all([...fetchers.values()].map(discard));
    },
  };
}

/** Why a handler is aborted. */
const stopping = new Error("the worker stops");
const cancelling = new Error("the job was cancelled");
const lost = new Error("the job's lock was lost: another worker may have it");

/** The names in their order, from the one after `last`. */
function rotated(names: readonly string[], last: string | undefined): readonly string[] {
  const from = last === undefined ? 0 : names.indexOf(last) + 1;
  return [...names.slice(from), ...names.slice(0, from)];
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

/** Calls `act` every so many milliseconds, unless the last call still runs. */
function repeatedly(milliseconds: number, act: () => Promise<void>): { end(): void } {
  let acting = false;
  const timer = setInterval(async () => {
    if (acting) return;
    acting = true;
    await act().catch(() => {});
    acting = false;
  }, milliseconds);
  return { end: () => clearInterval(timer) };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
