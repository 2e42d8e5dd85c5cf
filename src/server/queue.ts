/** The queue: one job runs, the others wait; every change is written to disk before it is announced. */

import { EventEmitter } from "node:events";
import { readdir, readFile, rm } from "node:fs/promises";
import { TillerError } from "../index.ts";
import { writeWhole } from "../internal.ts";
import { answerTo, withoutPlaces } from "./answer.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";
import { type Form, isOver, type Job, type JobRequest, jobSchema } from "./jobs.ts";

/** Runs a job, reporting changes; throws the signal's reason when aborted. */
export type RunJob = (job: Job, change: (change: Partial<Job>) => void, signal: AbortSignal) => Promise<Partial<Job>>;

export interface Queue {
  /** Jobs by age, oldest first. */
  list(): Job[];
  get(id: string): Job | undefined;
  /** The number of jobs before it; 0 for the running one. */
  position(id: string): number | undefined;
  /** @throws TillerError `queue-full` if too many wait. */
  add(request: JobRequest, form?: Form): Promise<Job>;
  /** Cancels a job: a running one stops within a step, a waiting one never starts. */
  cancel(id: string): Promise<void>;
  /** Deletes a job that has ended. */
  forget(id: string): Promise<void>;
  /** Starts the waiting jobs, once the server has its port. */
  begin(): void;
  /** Calls `listener` on every change; returns a function that unsubscribes. */
  watch(listener: (job: Job) => void): () => void;
  /** Resolves when the job has ended. */
  finished(id: string): Promise<Job>;
  /** Stops the running job so that a restart continues it. */
  close(): Promise<void>;
}

export interface QueueOptions {
  /** The most jobs that may wait. */
  readonly bound: number;
}

/** Milliseconds between writes of progress; other changes are written at once. */
const patience = 2000;

/** The most starts of one job; a job that crashed the server each time is not retried. */
const mostStarts = 3;

/** Restores the jobs of an earlier server: waiting jobs wait, and the running one is first again. */
export async function openQueue(data: DataFolder, run: RunJob, { bound }: QueueOptions): Promise<Queue> {
  const jobs = new Map<string, Job>();
  for (const job of await readJobs(data)) {
    jobs.set(job.id, isOver(job) ? job : takenUp(job));
  }
  const events = new EventEmitter().setMaxListeners(0);
  let running: { id: string; abort: AbortController; over: Promise<void> } | undefined;
  let closing = false;
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
  const waiting = () => [...jobs.values()].filter(({ state }) => state === "queued");

  const next = () => {
    const [job] = waiting();
    if (running || closing || !begun || !job) return;
    const abort = new AbortController();
    running = { id: job.id, abort, over: work(job.id, abort).catch(warn).finally(after) };
  };
  // If the disk is full, say, listeners still learn of the job's end, and the next write may succeed.
  const warn = (error: unknown) => process.emitWarning(`a job's state could not be saved: ${error}`);
  const after = () => {
    running = undefined;
    next();
  };

  async function work(id: string, { signal }: AbortController): Promise<void> {
    let kept = performance.now();
    const tell = (changes: Partial<Job>) => {
      const keep = performance.now() - kept > patience;
      if (keep) kept = performance.now();
      change(id, changes, keep).catch(() => {});
    };
    try {
      const starts = jobs.get(id)!.starts + 1;
      const job = await change(id, { state: "running", started: Date.now(), starts });
      const outcome = await run(job, tell, signal);
      await change(id, { ...outcome, state: "done", ended: Date.now() });
    } catch (error) {
      // Not the job's fault: this start does not count.
      if (closing) {
        await change(id, { starts: jobs.get(id)!.starts - 1 });
        return;
      }
      if (signal.aborted) {
        await change(id, { state: "cancelled", ended: Date.now() });
        return;
      }
      const { message, code } = answerTo(error);
      const defect = code === undefined && { defect: true };
      await change(id, { state: "failed", ended: Date.now(), error: message, code, ...defect });
    }
  }

  return {
    list: () => [...jobs.values()],
    get: (id) => jobs.get(id),
    position(id) {
      const job = jobs.get(id);
      if (!job || isOver(job)) return undefined;
      if (job.state === "running") return 0;
      return waiting().findIndex((other) => other.id === id) + (running ? 1 : 0);
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
      next();
      return job;
    },
    async cancel(id) {
      const job = jobs.get(id);
      if (!job || isOver(job)) return;
      if (running?.id === id) {
        running.abort.abort(new Error("cancelled"));
        await running.over;
      } else {
        await change(id, { state: "cancelled", ended: Date.now() });
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
      next();
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
      closing = true;
      running?.abort.abort(new Error("closing"));
      await running?.over;
    },
  };
}

function takenUp(job: Job): Job {
  // Training resumes from its checkpoint and keeps its samples; drawing starts over.
  const pictures = job.request.kind === "training" ? job.pictures : [];
  if (job.starts < mostStarts) return { ...job, state: "queued", pictures, progress: undefined };
  return {
    ...job,
    state: "failed",
    ended: Date.now(),
    code: "job-failed",
    error: `the server crashed ${mostStarts} times while this job ran.`,
  };
}

async function readJobs(data: DataFolder): Promise<Job[]> {
  const jobs: Job[] = [];
  for (const name of await readdir(data.jobs)) {
    const id = name.slice(0, -5);
    // Ignore other files, such as a user's copy of a job.
    if (!name.endsWith(".json") || !jobSchema.shape.id.safeParse(id).success) continue;
    // Jobs that are damaged or from an incompatible version are not run again.
    const parsed = jobSchema.safeParse(fromJson(await readFile(data.job(id), "utf8")));
    if (parsed.success && parsed.data.id === id) jobs.push(withoutOldWords(parsed.data));
  }
  return jobs.sort((a, b) => a.created - b.created || a.id.localeCompare(b.id));
}

/** Failures without a code come from versions that showed clients the raw error message. */
function withoutOldWords(job: Job): Job {
  const warnings = job.warnings.map((warning) => withoutPlaces(warning));
  if (job.state !== "failed" || job.code !== undefined || job.defect) return { ...job, warnings };
  return {
    ...job,
    warnings,
    code: "job-failed",
    error: "the job failed under an earlier version of Tiller: send it again.",
  };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
