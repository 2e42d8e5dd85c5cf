/** The engine without a server: jobs in this process's memory, done by it or by processes it forks. */
import { EventEmitter } from "node:events";
import {
  checkedJob,
  type Handler,
  isWrongCall,
  type JobAddress,
  type JobEvent,
  type JobSpec,
  type JobState,
  type JobStatus,
  type Jobs,
  jobStates,
  type Working,
} from "./job.ts";
import { type JobSettings, usualSettings } from "./settings.ts";

interface Entry extends JobStatus {
  readonly job: JobSpec;
  /** Among jobs of the same priority, smaller numbers come first. */
  readonly order: number;
  readonly attempts: number;
  /** When the next attempt may start. */
  readonly from: number;
  /** Of the running handler. */
  readonly abort?: AbortController | undefined;
}

/** Why a handler is aborted, if not by a cancellation. */
const stopping = new Error("the worker stops");
const cancelling = new Error("the job was cancelled");

/** The most done jobs that are remembered. */
const keptDone = 10_000;

export function openEmbedded(settings: Partial<JobSettings> = {}): Jobs {
  const { attempts: most, backoff } = { ...usualSettings, ...settings };
  const entries = new Map<string, Entry>();
  const events = new EventEmitter().setMaxListeners(0);
  const workers = new Set<Working>();
  const done: string[] = [];
  let order = 0;

  const change = (id: string, changes: Partial<Entry>) => {
    const entry = { ...entries.get(id)!, ...changes };
    entries.set(id, entry);
    if (changes.state) events.emit("job", { id, state: entry.state } satisfies JobEvent);
    if (entry.state === "waiting") events.emit("waiting");
    if (changes.state !== "done" || done.push(id) <= keptDone) return;
    const oldest = done.shift()!;
    if (entries.get(oldest)?.state === "done") entries.delete(oldest);
  };

  const next = (queues: readonly string[]): Entry | number => {
    let [best, soonest]: [Entry | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    const now = performance.now();
    for (const entry of entries.values()) {
      if (entry.state !== "waiting" || !queues.includes(entry.job.queue)) continue;
      if (entry.from > now) soonest = Math.min(soonest, entry.from);
      else if (!best || before(entry, best)) best = entry;
    }
    return best ?? soonest - now;
  };

  const ensure = async (jobs: readonly JobSpec[]) => {
    for (const given of jobs) {
      const job = checkedJob(given);
      const known = entries.get(job.id);
      if (known && (known.state === "waiting" || known.state === "running")) continue;
      // Deleted first, so that it comes last among equals.
      entries.delete(job.id);
      entries.set(job.id, { job, state: "waiting", order: order++, attempts: 0, from: 0 });
      change(job.id, { state: "waiting" });
    }
  };

  async function perform({ job, attempts }: Entry, handler: Handler, stop: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const halt = () => abort.abort(stopping);
    stop.addEventListener("abort", halt, { once: true });
    change(job.id, { state: "running", attempts: attempts + 1, abort });
    try {
      const { next = [] } = await handler(job, {
        signal: abort.signal,
        progress: (progress) => events.emit("job", { id: job.id, progress } satisfies JobEvent),
      });
      await ensure(next);
      change(job.id, { state: "done", abort: undefined });
    } catch (error) {
      if (abort.signal.reason === cancelling) change(job.id, { state: "cancelled", abort: undefined });
      else if (abort.signal.reason === stopping) change(job.id, { state: "waiting", attempts, abort: undefined });
      else if (isWrongCall(error) || attempts + 1 >= most) {
        const told = error instanceof Error ? error : new Error(String(error));
        change(job.id, { state: "failed", error: told, abort: undefined });
      } else {
        const from = performance.now() + backoff * 2 ** attempts;
        change(job.id, { state: "waiting", from, abort: undefined });
      }
    } finally {
      stop.removeEventListener("abort", halt);
    }
  }

  return {
    ensure,
    async states(jobs) {
      const found = new Map<string, JobStatus>();
      for (const { id } of jobs) {
        const entry = entries.get(id);
        if (entry) found.set(id, { state: entry.state, error: entry.error });
      }
      return found;
    },
    async cancel(jobs: readonly JobAddress[]) {
      for (const { id } of jobs) {
        const entry = entries.get(id);
        if (entry?.state === "waiting") change(id, { state: "cancelled" });
        entry?.abort?.abort(cancelling);
      }
    },
    events(listener) {
      events.on("job", listener);
      return () => events.off("job", listener);
    },
    async counts() {
      const all = new Map<string, Record<JobState, number>>();
      for (const { job, state } of entries.values()) {
        const counts = all.get(job.queue) ?? noJobs();
        counts[state]++;
        all.set(job.queue, counts);
      }
      return all;
    },
    async list(queue, state) {
      return [...entries.values()]
        .filter((one) => one.state === state && one.job.queue === queue)
        .map(({ job }) => job);
    },
    work(queues, handler) {
      const stop = new AbortController();
      const loop = async () => {
        while (!stop.signal.aborted) {
          const found = next(queues);
          if (typeof found === "number") await woken(events, found, stop.signal);
          else await perform(found, handler, stop.signal);
        }
      };
      const over = loop();
      const working: Working = {
        async close() {
          stop.abort();
          workers.delete(working);
          await over;
        },
      };
      workers.add(working);
      return working;
    },
    async close() {
      await Promise.all([...workers].map((one) => one.close()));
    },
  };
}

export const noJobs = (): Record<JobState, number> =>
  Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;

const before = (a: Entry, b: Entry): boolean =>
  a.job.priority !== b.job.priority ? a.job.priority < b.job.priority : a.order < b.order;

/** Resolves when a job may be there: one was added, the time has come, or the worker stops. */
function woken(events: EventEmitter, milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = Number.isFinite(milliseconds) ? setTimeout(end, Math.max(1, milliseconds)) : undefined;
    function end() {
      clearTimeout(timer);
      events.off("waiting", end);
      stop.removeEventListener("abort", end);
      done();
    }
    events.once("waiting", end);
    stop.addEventListener("abort", end, { once: true });
    if (stop.aborted) end();
  });
}
