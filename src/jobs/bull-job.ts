/** A job as BullMQ keeps it. */
import type { Job as BullJob, JobsOptions, JobType } from "bullmq";
import { errorFrom } from "./error-from-text.ts";
import { checkedJob, type JobSpec, type JobState, type JobStatus } from "./job.ts";
import type { JobSettings } from "./settings.ts";

/** What the server keeps of a job, beside its id, name and priority; null if somebody else put it there. */
export type Kept = {
  readonly data?: unknown;
  /** Set by a cancellation: workers fail the job as soon as they see it. */
  readonly cancelled?: true;
} | null;

/** Completed and failed jobs are forgotten after so many seconds, and beyond so many: the store knows what is done. */
const keptDone = { age: 24 * 3600, count: 10_000 };
const keptFailed = { age: 7 * 24 * 3600, count: 10_000 };

/** The failure of a cancelled job. */
export const cancelledReason = "cancelled";

/** How the server treats a job. */
export const optionsOf = ({ attempts, backoff }: JobSettings): JobsOptions => ({
  attempts,
  backoff: { type: "exponential", delay: backoff },
  removeOnComplete: keptDone,
  removeOnFail: keptFailed,
  stackTraceLimit: 0,
});

/** @throws TillerError `job-invalid` if it is none of Tiller's. */
export const specOf = ({ id, name, data, opts }: BullJob<Kept>, queue: string): JobSpec =>
  checkedJob({ id, kind: name, queue, priority: opts.priority ?? 0, data: data?.data });

/** BullMQ's states of each of ours. */
export const typesOf: Readonly<Record<JobState, readonly JobType[]>> = {
  waiting: ["wait", "prioritized", "delayed"],
  running: ["active"],
  done: ["completed"],
  failed: ["failed"],
  cancelled: ["failed", "wait", "prioritized", "delayed"],
};

export function statusOf({ data, failedReason }: BullJob<Kept>, state: string): JobStatus {
  if (state === "completed") return { state: "done" };
  if (data?.cancelled || (state === "failed" && failedReason === cancelledReason)) return { state: "cancelled" };
  if (state === "failed") return { state: "failed", error: errorFrom(failedReason ?? "") };
  return { state: state === "active" ? "running" : "waiting" };
}
