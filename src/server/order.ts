/** What a worker needs to know of a job, as it is in the store; the engine only has its key. */
import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../internal.ts";
import { digestOf, fetchShared, keyPattern, type Store } from "../jobs/index.ts";
import { jobRequestSchema, jobSchema, precisionSchema } from "./jobs.ts";

const key = z.string().regex(keyPattern);

export const orderSchema = z.strictObject({
  form: z.literal(1),
  /** The job's id. */
  id: jobSchema.shape.id,
  request: jobRequestSchema,
  /** The hashes of its models, by name. */
  models: z.record(z.string(), z.string()),
  /** Its adapters' keys, by name. */
  adapters: z.record(z.string(), key),
  /** Its uploads' keys, by id. */
  uploads: z.record(z.string(), key),
  /** The precision of jobs that name none. */
  precision: precisionSchema,
});

export type Order = z.output<typeof orderSchema>;

export const orderFile = "order.json";

/** A job's data in the engine. */
export const orderedSchema = z.strictObject({ order: key });

/** How far a job is: what clients see of it besides its progress. */
export const soFarSchema = jobSchema
  .pick({ pictures: true, warnings: true, losses: true, adapter: true, progress: true })
  .extend({ adapters: z.array(z.string()).optional() });

/** What a job has made so far, or in the end. */
export type SoFar = z.output<typeof soFarSchema>;

export const soFarFile = "job.json";

/** What progress has besides its numbers. */
export const toldSchema = z.strictObject({
  secondsPerStep: z.number().optional(),
  secondsLeft: z.number().optional(),
  /** Which version of what the job has made so far is in the store; 0 if none is. */
  version: z.number(),
});

export const pictureKey = (id: string): string => `picture-${digestOf(id)}`;
export const pictureFile = "picture.png";
export const soFarKey = (id: string): string => `sofar-${digestOf(id)}`;

/** @throws TillerError if the store has something else under that key. */
export async function readOrder(key: string, into: string, store: Store): Promise<Order> {
  await fetchShared(key, into, store);
  return readJson(join(into, orderFile), orderSchema);
}

/** @throws TillerError if the folder has something else. */
export const readSoFar = (folder: string): Promise<SoFar> => readJson(join(folder, soFarFile), soFarSchema);
