/** The door to the queue: what every request must pass, whichever form it came in. */
import { trainingRequestSchema } from "../index.ts";
import { refuseInexactSeeds } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import { type Form, type Job, type JobRequest, requestsOf } from "./jobs.ts";
import type { Models } from "./models.ts";
import type { Queue } from "./queue.ts";
import { refuseTooMuch } from "./work.ts";

export interface Door {
  readonly data: DataFolder;
  readonly models: Models;
  readonly queue: Queue;
  /** Megapixel-steps that one request may ask for. */
  readonly mostWork: number;
}

/**
 * Queues a request, or refuses at once what would fail when its turn comes.
 *
 * @throws TillerError `model-unknown`, `name-invalid`, `seed-invalid`, `work-too-large` or `queue-full`.
 */
export async function accept(request: JobRequest, { data, models, queue, mostWork }: Door, form?: Form): Promise<Job> {
  models.get(request.model);
  if (request.kind === "training") {
    data.runs(request.upload, request.name);
    // Class pictures have the seeds from the run's on.
    const { seed, prior = true, priorCount = trainingRequestSchema.shape.priorCount.parse(undefined) } = request;
    if (prior) refuseInexactSeeds({ seed, count: priorCount });
  } else {
    for (const { name } of request.adapters) data.adapter(name);
    const requests = requestsOf(request);
    for (const one of requests) refuseInexactSeeds(one);
    refuseTooMuch(requests, mostWork);
  }
  return queue.add(request, form);
}
