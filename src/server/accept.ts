/** The checks that every request passes before it is queued, whichever API it came through. */
import { type PrecisionName, TillerError, trainingRequestSchema } from "../index.ts";
import { exists, refuseInexactSeeds, refuseWithoutPicture } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import type { JobList } from "./job-list.ts";
import { type Form, type Job, type JobRequest, requestsOf } from "./jobs.ts";
import type { Models } from "./models.ts";
import { refuseTooMuch } from "./work.ts";

export interface Door {
  readonly data: DataFolder;
  readonly models: Models;
  readonly jobs: JobList;
  /** The most megapixel-steps of one request. */
  readonly mostWork: number;
  /** The number types available to jobs, each with what computes in it. */
  readonly precisions: () => Promise<readonly { readonly name: PrecisionName; readonly on: string }[]>;
}

/**
 * Queues a request, or refuses it at once if it would fail later.
 *
 * @throws TillerError `model-unknown`, `name-invalid`, `precision-unavailable`, `seed-invalid`, `work-too-large` or `queue-full`.
 */
export async function accept(request: JobRequest, door: Door, form?: Form): Promise<Job> {
  const { data, models, jobs, mostWork } = door;
  models.get(request.model);
  await refuseUnavailable(request, door);
  if (request.kind === "training") {
    data.runs(request.upload, request.name);
    // Class images use the seeds from the run's upwards.
    const { seed, prior = true, priorCount = trainingRequestSchema.shape.priorCount.parse(undefined) } = request;
    if (prior) refuseInexactSeeds({ seed, count: priorCount });
  } else {
    if (request.base !== undefined) models.get(request.base);
    for (const { name } of request.adapters) data.adapter(name);
    const requests = requestsOf(request);
    for (const one of requests) refuseInexactSeeds(one);
    for (const one of requests) refuseWithoutPicture(one);
    for (const upload of [request.request.image, request.request.mask]) {
      if (upload !== undefined && !(await exists(data.upload(upload)))) {
        throw new TillerError("pictures-gone", `there is no upload ${upload}: upload the picture again.`);
      }
    }
    refuseTooMuch(requests, mostWork);
  }
  return jobs.add(request, form);
}

async function refuseUnavailable({ kind, precision }: JobRequest, { precisions }: Door): Promise<void> {
  if (precision === undefined) return;
  const names = (await precisions()).map(({ name }) => name).filter((name) => kind === "pictures" || name !== "int8");
  if (names.includes(precision)) return;
  throw new TillerError(
    "precision-unavailable",
    `precision ${precision} is not available for ${kind} on this server; choose one of ${names.join(", ")}.`,
  );
}
