/** A job for a client that waits: the queue's answer when it is over. */
import { TillerError } from "../index.ts";
import type { Job, JobRequest } from "./jobs.ts";
import type { Services } from "./routes.ts";

/**
 * Adds a job and waits for its end; a client that goes away takes its job along.
 *
 * @throws TillerError if it fails or is cancelled.
 */
export async function jobDone(request: JobRequest, { queue }: Services, signal: AbortSignal): Promise<Job> {
  const { id } = await queue.add(request);
  const leave = () => void queue.cancel(id).catch(() => {});
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  try {
    const job = await queue.finished(id);
    if (job.state === "done") return job;
    throw new (job.defect ? Error : TillerError)(job.error ?? "the job was cancelled");
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
