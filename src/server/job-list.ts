/** The server's jobs as its clients see them: kept on disk, and true to the engine that delivers them. */

import { EventEmitter, setMaxListeners } from "node:events";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { TillerError } from "../index.ts";
import { writeWhole } from "../internal.ts";
import { type JobEvent, type JobSpec, type Jobs, reconcile } from "../jobs/index.ts";
import { answerTo } from "./answer.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Delivery } from "./delivery.ts";
import { newId } from "./ids.ts";
import { readJobs, takenUp } from "./job-files.ts";
import { type Form, isOver, type Job, type JobRequest } from "./jobs.ts";

export interface JobList {
  /** Jobs by age, oldest first. */
  list(): Job[];
  get(id: string): Job | undefined;
  /** The number of jobs before it; 0 for running ones. */
  position(id: string): number | undefined;
  /** @throws TillerError `queue-full` if too many wait. */
  add(request: JobRequest, form?: Form): Promise<Job>;
  /** Cancels a job: a running one stops within a step, a waiting one never starts. */
  cancel(id: string): Promise<void>;
  /** Deletes a job that has ended. */
  forget(id: string): Promise<void>;
  /** Delivers the waiting jobs, once the server has its port. */
  begin(): void;
  /** Calls `listener` on every change; returns a function that unsubscribes. */
  watch(listener: (job: Job) => void): () => void;
  /** Resolves when the job has ended. */
  finished(id: string): Promise<Job>;
  /** Stops what runs here so that a restart continues it; what workers do goes on. */
  close(): Promise<void>;
}

export interface JobListOptions {
  /** The most jobs that may wait. */
  readonly bound: number;
}

/** Milliseconds between writes of progress; other changes are written at once. */
const patience = 2000;

/** Milliseconds between looks at what became of jobs, since events may be lost. */
const look = 3000;

/** Milliseconds between attempts to cancel a job that is just being delivered. */
const insistence = 500;

/** Restores the jobs of an earlier server: those that it did itself wait again, the running one first. */
export async function openJobList(data: DataFolder, delivery: Delivery, { bound }: JobListOptions): Promise<JobList> {
  const jobs = new Map<string, Job>();
  for (const job of await readJobs(data)) {
    jobs.set(job.id, isOver(job) || !delivery.here ? job : takenUp(job));
  }
  const events = new EventEmitter().setMaxListeners(0);
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  /** Jobs that have not ended, with the end of their being followed. */
  const followed = new Map<string, Promise<void>>();
  const cancelled = new Set<string>();
  /** What the engine has, by the job's id, and the reverse. */
  const orders = new Map<string, JobSpec>();
  const ids = new Map<string, string>();
  let begun = false;

  // Writes are serialised, so that an older state never overwrites a newer one.
  let disk: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = disk.then(work);
    disk = turn.catch(() => {});
    return turn;
  };
  const change = async (id: string, changes: Partial<Job>, keep = true): Promise<Job> => {
    const job = { ...jobs.get(id)!, ...changes };
    jobs.set(id, job);
    try {
      if (keep) await inTurn(() => writeWhole(data.job(id), `${JSON.stringify(job)}\n`));
    } finally {
      // Changes are announced even if they cannot be written.
      if (jobs.has(id)) events.emit("job", jobs.get(id)!);
    }
    return job;
  };
  // If the disk is full, say, listeners still learn of the change, and the next write may succeed.
  const warn = (error: unknown) => process.emitWarning(`a job's state could not be saved: ${error}`);
  const waiting = () => [...jobs.values()].filter(({ state }) => state === "queued");
  const unfinished = (id: string | undefined): Job | undefined => {
    const job = id === undefined ? undefined : jobs.get(id);
    return job && !isOver(job) ? job : undefined;
  };

  const begins = ({ id, starts }: Job) => {
    change(id, { state: "running", started: Date.now(), starts: starts + 1 }).catch(warn);
  };
  /** When each job's progress was last written. */
  const kept = new Map<string, number>();
  const progresses = (id: string, changes: Partial<Job>) => {
    if (!unfinished(id)) return;
    const now = performance.now();
    const keep = now - (kept.get(id) ?? 0) > patience;
    if (keep) kept.set(id, now);
    change(id, changes, keep).catch(() => {});
  };
  /** The engine, whose events are those that it told of and those that were found out. */
  const found = new EventEmitter().setMaxListeners(0);
  const engine: Jobs = {
    ...delivery.jobs,
    events(listener) {
      found.on("event", listener);
      return () => found.off("event", listener);
    },
  };
  const unsubscribe = delivery.jobs.events((event) => {
    found.emit("event", event);
    const { id: key, state, progress } = event;
    const job = unfinished(ids.get(key));
    if (!job || closing.signal.aborted) return;
    if (state === "running" || (progress && job.state === "queued")) begins(job);
    if (progress) {
      delivery.changes(job, progress).then((changes) => progresses(job.id, changes), warn);
    }
  });

  const isCancelled = async (id: string): Promise<void> => {
    await change(id, { state: "cancelled", ended: Date.now() });
  };
  /** Jobs get into the queue in their order, however long what they need takes on its way: each waits for the one before. */
  let line: Promise<void> = Promise.resolve();
  /** The engine, which calls `queued` as soon as it has the job. */
  const once = (queued: () => void): Jobs => ({
    ...engine,
    async states(all) {
      const states = await engine.states(all);
      if (states.size > 0) queued();
      return states;
    },
    async ensure(all) {
      await engine.ensure(all);
      queued();
    },
  });
  /** Brings a job to its end, whatever happens to the queue. */
  async function deliver(id: string): Promise<void> {
    const job = jobs.get(id)!;
    const turn = line;
    let leave = () => {};
    line = new Promise((done) => {
      leave = done;
    });
    const isOutcome = async (): Promise<void> => {
      await change(id, { ...(await delivery.outcome(jobs.get(id)!)), state: "done", ended: Date.now() });
    };
    try {
      await turn;
      closing.signal.throwIfAborted();
      const order = await delivery.order(job);
      ids.set(order.id, id);
      orders.set(id, order);
      // It may have been cancelled before anybody knew it.
      if (cancelled.has(id)) return await isCancelled(id);
      const { missing } = await reconcile(once(leave), [{ job: order, isDone: () => delivery.isDone(job) }], {
        ...(delivery.here && { rest: 0 }),
        afresh: false,
        signal: closing.signal,
      });
      const status = missing.get(order.id);
      if (!status) await isOutcome();
      else if (status.state === "cancelled") await isCancelled(id);
      else throw status.error;
    } catch (error) {
      if (closing.signal.aborted) {
        // It may have ended just now.
        if (delivery.here && (await delivery.isDone(job))) await isOutcome();
        return;
      }
      const { message, code } = answerTo(error);
      const defect = code === undefined && { defect: true };
      await change(id, { state: "failed", ended: Date.now(), error: message, code, ...defect });
    } finally {
      leave();
    }
  }
  const follow = (id: string): void => {
    const over = deliver(id)
      .catch(warn)
      .then(async () => {
        const order = orders.get(id);
        if (order) ids.delete(order.id);
        for (const known of [orders, kept, cancelled, followed]) known.delete(id);
        const job = jobs.get(id);
        if (!job || !isOver(job)) return;
        await delivery.release(job).catch((error) => process.emitWarning(`the store was not tidied up: ${error}`));
      });
    followed.set(id, over);
  };

  let looking = false;
  const lookAround = async () => {
    if (looking) return;
    looking = true;
    try {
      for (const [key, { state }] of await delivery.jobs.states([...orders.values()])) {
        const job = unfinished(ids.get(key));
        if (state === "running" && job?.state === "queued") begins(job);
        else if (state === "waiting" && job?.state === "running")
          change(job.id, { state: "queued", progress: undefined }).catch(warn);
        else found.emit("event", { id: key, state } satisfies JobEvent);
      }
    } finally {
      looking = false;
    }
  };
  let looks: NodeJS.Timeout | undefined;

  return {
    list: () => [...jobs.values()],
    get: (id) => jobs.get(id),
    position(id) {
      const job = unfinished(id);
      if (!job) return undefined;
      if (job.state === "running") return 0;
      const running = [...jobs.values()].filter(({ state }) => state === "running").length;
      return waiting().findIndex((other) => other.id === id) + running;
    },
    async add(request, form) {
      if (waiting().length >= bound)
        throw new TillerError("queue-full", `${bound} jobs are waiting already: try again later.`);
      const job: Job = {
        id: newId(),
        state: "queued",
        request,
        form,
        created: Date.now(),
        pictures: [],
        warnings: [],
        starts: 0,
      };
      jobs.set(job.id, job);
      try {
        await change(job.id, {});
      } catch (error) {
        jobs.delete(job.id);
        throw error;
      }
      if (begun) follow(job.id);
      return job;
    },
    async cancel(id) {
      if (!unfinished(id)) return;
      if (!followed.has(id)) return isCancelled(id);
      cancelled.add(id);
      while (unfinished(id)) {
        const order = orders.get(id);
        if (order) await delivery.jobs.cancel([order]);
        await Promise.race([followed.get(id), sleep(insistence, undefined, { ref: false })]);
      }
    },
    async forget(id) {
      const job = jobs.get(id);
      if (!job || !isOver(job)) return;
      jobs.delete(id);
      await inTurn(() => rm(data.job(id), { force: true }));
    },
    begin() {
      begun = true;
      for (const { id } of jobs.values()) if (unfinished(id)) follow(id);
      delivery.begin();
      if (!delivery.here) looks = setInterval(() => lookAround().catch(() => {}), look).unref();
    },
    watch(listener) {
      events.on("job", listener);
      return () => events.off("job", listener);
    },
    finished: (id) =>
      new Promise((done) => {
        const look = (job: Job | undefined) => {
          if (!job || job.id !== id || !isOver(job)) return;
          events.off("job", look);
          done(job);
        };
        events.on("job", look);
        look(jobs.get(id));
      }),
    async close() {
      clearInterval(looks);
      begun = false;
      // What stops with the server may just have ended.
      if (delivery.here) await delivery.jobs.close();
      closing.abort(new Error("closing"));
      await Promise.all(followed.values());
      unsubscribe();
      if (!delivery.here) return delivery.jobs.close();
      // It is not its fault that it stopped: this start does not count.
      for (const { id, state, starts } of jobs.values())
        if (state === "running") await change(id, { starts: starts - 1 }).catch(warn);
    },
  };
}
