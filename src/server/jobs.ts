/** Jobs: what the server is asked to do, as data that survives a restart. */

import { z } from "zod";
import { pictureRequestSchema, trainingRequestSchema } from "../index.ts";
import { settingFields } from "../internal.ts";

const id = z.string().regex(/^[\w-]{1,64}$/, "must be a name of the server's own making");

/** An adapter of the server by its name, and how strongly it counts. */
const adapterSchema = z.strictObject({
  name: z.string(),
  strength: z.number().min(-10).max(10).default(1),
});

const { shape } = pictureRequestSchema;

/** Pixels: larger pictures would take the machine from everyone who waits. */
const side = shape.width.unwrap().max(2048);

/** Letters of a prompt; a text encoder hears a few hundred of them. */
const mostText = 10_000;

/** Of a request's fields, those that are settings of guidance. */
export const settingsIn = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.keys(settingFields).map((name) => [name, fields[name]]));

/** Without the request's defaults: what is absent stays as the request has it. */
const variationSchema = z.strictObject({
  /** The guidance method. */
  guidance: shape.guidance.unwrap().optional(),
  ...settingFields,
  /** The sampler. */
  sampler: shape.sampler.unwrap().optional(),
  /** Its steps. */
  steps: shape.steps.unwrap().optional(),
  /** The first picture's seed. */
  seed: shape.seed.unwrap().optional(),
});

/** Pictures: one request, or several that differ in some settings from the same noise. */
export const picturesSchema = z.strictObject({
  /** Tells the kinds of jobs apart; may be left out. */
  kind: z.literal("pictures").default("pictures"),
  /** One of the server's models; its first by default. */
  model: z.string().optional(),
  /** The server's adapters that take part. */
  adapters: z.array(adapterSchema).max(8).default([]),
  /** What to draw. */
  request: pictureRequestSchema.extend({
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
  /** Tells the kinds of jobs apart. */
  kind: z.literal("training"),
  /** One of the server's models; its first by default. */
  model: z.string().optional(),
  /** What the adapter is to be called. */
  name: z.string(),
  /** The training method; `dreambooth` by default. */
  method: z.enum(["dreambooth", "dreambooth-ti"]).default("dreambooth"),
  /** An upload of the server. */
  upload: z.string(),
  /** What the subject is called in prompts; `sks` by default. */
  token: trainingRequestSchema.shape.token.default("sks"),
  /** What kind of thing it is: `cat`. */
  class: trainingRequestSchema.shape.class,
  /** Training steps; the method's own by default. */
  steps: z.number().int().min(1).max(5000).optional(),
  /** Rank of the LoRA; 4 by default. */
  rank: z.number().int().min(1).max(128).optional(),
  /** The method's own by default. */
  learningRate: trainingRequestSchema.shape.learningRate,
  /** Pictures of the subject in one evaluation; the method's own by default. */
  batch: z.number().int().min(1).max(8).optional(),
  /** Whether pictures of the class keep it from being forgotten; the method's own by default. */
  prior: z.boolean().optional(),
  /** How many of them; 100 by default. */
  priorCount: z.number().int().min(1).max(500).optional(),
  /** Draw a sample every so many steps. */
  sampleEvery: z.number().int().min(1).optional(),
  /** 0 by default. */
  seed: trainingRequestSchema.shape.seed,
});

export const jobRequestSchema = z.union([picturesSchema, trainingJobSchema]);

export type PicturesRequest = z.output<typeof picturesSchema>;

/** The requests that a job of pictures is made of, in order. */
export const requestsOf = ({ request, variations = [{}] }: PicturesRequest): PicturesRequest["request"][] =>
  variations.map((variation) => Object.assign({ ...request }, variation));

export type TrainingJobRequest = z.output<typeof trainingJobSchema>;
export type JobRequest = z.output<typeof jobRequestSchema>;

/** The forms of other servers' clients. */
export const forms = ["openai", "community"] as const;
export type Form = (typeof forms)[number];

export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;

export const jobSchema = z.object({
  /** Its id. */
  id,
  /** What has become of it. */
  state: z.enum(jobStates),
  /** What was asked for, defaults filled in. */
  request: jobRequestSchema,
  /** The form that it came in; none of the server's own. */
  form: z.enum(forms).optional(),
  /** When it was asked for, in milliseconds since 1970, as the other times are. */
  created: z.number(),
  /** When it was begun. */
  started: z.number().optional(),
  /** When it was over. */
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
  /** What was odd, a sentence each. */
  warnings: z.array(z.string()).default([]),
  /** Why it failed, in a sentence. */
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
