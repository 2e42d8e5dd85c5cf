/** Runs a job for a client that waits for the result. */
import { type ErrorCode, errorRows, TillerError } from "../index.ts";
import { accept, type Door } from "./accept.ts";
import type { Form, Job, JobRequest } from "./jobs.ts";

/**
 * Adds a job and waits for it to end; if the client disconnects, the job is cancelled.
 *
 * @throws TillerError if it is refused, fails or is cancelled.
 */
export async function jobDone(request: JobRequest, services: Door, form: Form, signal: AbortSignal): Promise<Job> {
  const { jobs } = services;
  const { id } = await accept(request, services, form);
  const leave = () => void jobs.cancel(id).catch(() => {});
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  try {
    const job = await jobs.finished(id);
    if (job.state === "done") return job;
    if (job.state === "cancelled") throw new TillerError("job-cancelled", "the job was cancelled.");
    if (job.defect) throw new Error(job.error);
    throw new TillerError(isCode(job.code) ? job.code : "job-failed", job.error ?? "the job failed.");
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** A job may come from another version of Tiller, with unknown codes. */
const isCode = (code: string | undefined): code is ErrorCode => code !== undefined && code in errorRows;
