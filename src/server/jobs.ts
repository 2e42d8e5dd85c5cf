/** Jobs: what the server is asked to do, as data that survives a restart. */

import { z } from "zod";
import { requestSchema, settingFields, trainingSchema } from "../index.ts";

const id = z.string().regex(/^[\w-]{1,64}$/, "must be a name of the server's own making");

/** An adapter of the server by its name, and how strongly it counts. */
const adapterSchema = z.strictObject({
  name: z.string().regex(/^[\w. -]{1,80}$/, "must be the name of an adapter of this server"),
  strength: z.number().min(-10).max(10).default(1),
});

const { shape } = requestSchema;

/** Pixels: larger pictures would take the machine from everyone who waits. */
const side = shape.width.unwrap().max(2048);

/** Letters of a prompt; a text encoder hears a few hundred of them. */
const mostText = 10_000;

/** Of a request's fields, those that are settings of guidance. */
export const settingsIn = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.keys(settingFields).map((name) => [name, fields[name]]));

/** Without the request's defaults: what is absent stays as the request has it. */
const variationSchema = z.strictObject({
  guidance: shape.guidance.unwrap().optional(),
  ...settingFields,
  sampler: shape.sampler.unwrap().optional(),
  steps: shape.steps.unwrap().optional(),
  seed: shape.seed.unwrap().optional(),
});

/** Pictures: one request, or several that differ in some settings from the same noise. */
export const picturesSchema = z.strictObject({
  kind: z.literal("pictures").default("pictures"),
  /** One of the server's models; its first by default. */
  model: z.string().optional(),
  adapters: z.array(adapterSchema).max(8).default([]),
  request: requestSchema.extend({
    prompt: shape.prompt.max(mostText),
    negative: shape.negative.unwrap().max(mostText).default(""),
    count: z.number().int().min(1).max(64).default(1),
    width: side.optional(),
    height: side.optional(),
  }),
  /** Settings that take the place of the request's, one set after the other. */
  variations: z.array(variationSchema).min(1).max(64).optional(),
});

/** Training on uploaded pictures. */
export const trainingJobSchema = z.strictObject({
  kind: z.literal("training"),
  model: z.string().optional(),
  /** What the adapter is to be called. */
  name: z.string().regex(/^[\w-]{1,40}$/, "must be up to 40 letters, digits, dashes and underscores"),
  recipe: z.enum(["dreambooth", "dreambooth-ti"]).default("dreambooth"),
  /** An upload of the server. */
  upload: id,
  token: trainingSchema.shape.token.default("sks"),
  class: trainingSchema.shape.class,
  steps: z.number().int().min(1).max(5000).optional(),
  rank: z.number().int().min(1).max(128).optional(),
  learningRate: trainingSchema.shape.learningRate,
  batch: z.number().int().min(1).max(8).optional(),
  prior: z.boolean().optional(),
  priorCount: z.number().int().min(1).max(500).optional(),
  /** Draw a sample every so many steps. */
  sampleEvery: z.number().int().min(1).optional(),
  seed: trainingSchema.shape.seed,
});

export const jobRequestSchema = z.union([picturesSchema, trainingJobSchema]);

export type PicturesRequest = z.output<typeof picturesSchema>;
export type TrainingJobRequest = z.output<typeof trainingJobSchema>;
export type JobRequest = z.output<typeof jobRequestSchema>;

export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;

export const jobSchema = z.object({
  id,
  state: z.enum(jobStates),
  request: jobRequestSchema,
  /** Times in milliseconds since 1970. */
  created: z.number(),
  started: z.number().optional(),
  ended: z.number().optional(),
  /** Steps done of all, whatever they are steps of; how long one takes and the rest will, once that is known; and what goes on. */
  progress: z
    .object({
      done: z.number(),
      total: z.number(),
      secondsPerStep: z.number().optional(),
      secondsLeft: z.number().optional(),
      what: z.string(),
    })
    .optional(),
  /** Pictures made so far, by id, in order. */
  pictures: z.array(z.string()).default([]),
  /** Of training: the loss at each step. */
  losses: z.array(z.number()).optional(),
  /** The adapter that was learned. */
  adapter: z.string().optional(),
  warnings: z.array(z.string()).default([]),
  error: z.string().optional(),
  /** One of docs/errors.md; none if it failed by a defect. */
  code: z.string().optional(),
  /** It failed for no reason of its own. */
  defect: z.boolean().optional(),
  /** How often it was begun; more than once when the server ended in between. */
  starts: z.number().default(0),
});

export type Job = z.output<typeof jobSchema>;

export const isOver = ({ state }: Pick<Job, "state">): boolean =>
  state === "done" || state === "failed" || state === "cancelled";
