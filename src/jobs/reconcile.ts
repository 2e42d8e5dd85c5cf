/** Brings a plan to its end, whatever happens to the queue: what is neither in the store nor in the queue is added again. */
import { orAborted } from "../aborted.ts";
import type { JobSpec, JobStatus, Jobs } from "./job.ts";

/** A job of a plan. */
export interface Planned {
  readonly job: JobSpec;
  /** The job whose result it needs. */
  readonly after?: string | undefined;
  /** Whether its result is there. */
  isDone(): Promise<boolean>;
}

export interface Ended {
  /** Jobs whose result is missing: they failed, were cancelled, or need one that did. */
  readonly missing: ReadonlyMap<string, JobStatus>;
}

export interface ReconcileOptions {
  /** Milliseconds between looks at the store and the queue; events of the queue cause earlier ones. */
  readonly every?: number | undefined;
  /** The least milliseconds between looks that events cause, so that many events are looked at together. */
  readonly rest?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with every job found done, the first time. */
  readonly onDone?: ((job: JobSpec) => void) | undefined;
  /** Whether to retry what failed before: once, at the beginning. */
  readonly afresh?: boolean | undefined;
}

/** Milliseconds between looks. */
const usualEvery = 30_000;

const usualRest = 200;

/** @throws The signal's reason when it is aborted; the jobs stay in the queue. */
export async function reconcile(
  jobs: Jobs,
  plan: readonly Planned[],
  { every = usualEvery, rest = usualRest, signal, onDone = () => {}, afresh = true }: ReconcileOptions = {},
): Promise<Ended> {
  const left = new Map(plan.map((one) => [one.job.id, one]));
  /** Jobs to look at: those whose event came; all of them at first and now and then. */
  let suspects: "all" | Set<string> = "all";
  let wake = () => {};
  const unsubscribe = jobs.events(({ id, state }) => {
    if (!left.has(id) || state === undefined || state === "waiting" || state === "running") return;
    if (suspects !== "all") suspects.add(id);
    wake();
  });
  const stop = () => wake();
  signal?.addEventListener("abort", stop);
  const given = new Map<string, JobStatus>();
  let first = true;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const looked = suspects;
      suspects = new Set();
      let finished = false;
      for (const one of looked === "all" ? [...left.values()] : [...looked].flatMap((id) => left.get(id) ?? [])) {
        if (!(await one.isDone())) continue;
        left.delete(one.job.id);
        given.delete(one.job.id);
        onDone(one.job);
        finished = true;
      }
      // All states are looked at now and then, or when little is left to look at.
      const concerned =
        looked === "all" || finished ? [...left.values()] : [...looked].flatMap((id) => left.get(id) ?? []);
      const ready = concerned.filter(({ after }) => after === undefined || !left.has(after));
      const states = await orAborted(jobs.states(ready.map(({ job }) => job)), signal);
      const add: JobSpec[] = [];
      for (const { job } of ready) {
        const status = states.get(job.id);
        const over = status?.state === "failed" || status?.state === "cancelled";
        if (over && !(first && afresh)) given.set(job.id, status);
        else {
          given.delete(job.id);
          if (!status || status.state === "done" || over) add.push(job);
        }
      }
      if (add.length > 0) await orAborted(jobs.ensure(add), signal);
      first = false;
      // Jobs that need one that failed cannot be done either.
      for (const { job, after } of left.values()) {
        const needed = after === undefined ? undefined : given.get(after);
        if (needed) given.set(job.id, needed);
      }
      if (given.size === left.size) return { missing: given };
      const due = await new Promise<boolean>((done) => {
        const timer = setTimeout(() => done(true), every);
        wake = () => {
          clearTimeout(timer);
          done(false);
        };
        if (signal?.aborted || (suspects !== "all" && suspects.size > 0)) wake();
      });
      if (due) suspects = "all";
      // Many events at once are looked at together.
      else await new Promise((done) => setTimeout(done, rest));
    }
  } finally {
    unsubscribe();
    signal?.removeEventListener("abort", stop);
  }
}
