/** How the jobs of a server get done: by the server itself, or by workers on any machine. */
import { digestOf, type JobProgress, type JobSpec, type Jobs } from "../jobs/index.ts";
import type { Job } from "./jobs.ts";

export interface Delivery {
  readonly jobs: Jobs;
  /** Whether the server does them itself, so that they stop with it. */
  readonly here: boolean;
  /** The job as the engine knows it; what its worker needs is where that looks for it. */
  order(job: Job): Promise<JobSpec>;
  isDone(job: Job): Promise<boolean>;
  /** What came of a job that is done: its pictures and adapters are in the server's folder. */
  outcome(job: Job): Promise<Partial<Job>>;
  /** The changes that a running job's progress tells of. */
  changes(job: Job, progress: JobProgress): Promise<Partial<Job>>;
  /** Forgets what is needed only until a job has ended. */
  release(job: Job): Promise<void>;
  /** Starts doing jobs, once the server has its port and its folder. */
  begin(): void;
}

/** The id of a job in the engine, and the key of its result. */
export const orderKey = (id: string): string => `studio-${digestOf(id)}`;
