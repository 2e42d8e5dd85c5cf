/** Jobs, as data that survives a restart. */

import { z } from "zod";
import { pictureRequestSchema, precisionNames, trainingRequestSchema } from "../index.ts";
import { settingFields } from "../internal.ts";

const id = z.string().regex(/^[\w-]{1,64}$/, "must be an id made by the server");

const strength = z.number().min(-10).max(10);

/** An adapter of the server, by name, with its strength. */
const adapterSchema = z.strictObject({
  name: z.string(),
  /** By component, those not named have 1. */
  strength: z.union([strength, z.record(z.string().regex(/^\w+$/), strength)]).default(1),
});

const { shape } = pictureRequestSchema;

/** Number type of matrix products; if absent, the server's. */
export const precisionSchema = z.enum(precisionNames).optional();

/** Pixels: larger pictures would block the machine for everyone waiting. */
const side = shape.width.unwrap().max(2048);

/** The most characters of a prompt; text encoders read only a few hundred. */
const mostText = 10_000;

/** An upload's id. */
const uploaded = z.string().max(64);

/** The fields of a request that are guidance settings. */
export const settingsIn = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.keys(settingFields).map((name) => [name, fields[name]]));

/** Has no defaults: absent settings stay as in the request. */
const variationSchema = z.strictObject({
  /** The guidance method. */
  guidance: shape.guidance.unwrap().optional(),
  ...settingFields,
  /** The sampler. */
  sampler: shape.sampler.unwrap().optional(),
  /** Sampler steps. */
  steps: shape.steps.unwrap().optional(),
  /** The first picture's seed. */
  seed: shape.seed.unwrap().optional(),
  /** How much of the picture to start from is given up. */
  strength: shape.strength,
});

/** Pictures: one request, or several variations of it with the same noise. */
export const picturesSchema = z.strictObject({
  /** Tells the kinds of jobs apart; may be left out. */
  kind: z.literal("pictures").default("pictures"),
  /** One of the server's models; its first by default. */
  model: z.string().optional(),
  /** One of the server's models: the pre-trained model that `model` was fine-tuned from, which guidance weakens towards. */
  base: z.string().optional(),
  /** Adapters of the server to use. */
  adapters: z.array(adapterSchema).max(8).default([]),
  /** Number type of matrix products; by default the server's. */
  precision: precisionSchema,
  /** What to draw. */
  request: pictureRequestSchema.extend({
    prompt: shape.prompt.max(mostText),
    style: shape.style.unwrap().max(mostText).optional(),
    negative: shape.negative.unwrap().max(mostText).optional(),
    count: z.number().int().min(1).max(64).default(1),
    width: side.optional(),
    height: side.optional(),
    /** The id of an upload, whose first picture it starts from. */
    image: uploaded.optional(),
    /** The id of an upload: its first picture is the mask, whose white part is repainted. */
    mask: uploaded.optional(),
  }),
  /** Sets of settings that replace the request's, one set after the other. */
  variations: z.array(variationSchema).min(1).max(64).optional(),
});

/** Training on uploaded pictures. */
export const trainingJobSchema = z.strictObject({
  /** Tells the kinds of jobs apart. */
  kind: z.literal("training"),
  /** One of the server's models; its first by default. */
  model: z.string().optional(),
  /** Number type of matrix products; by default the server's. */
  precision: precisionSchema,
  /** The new adapter's name. */
  name: z.string(),
  /** The training method; `dreambooth` by default. */
  method: z.enum(["dreambooth", "dreambooth-ti"]).default("dreambooth"),
  /** The id of an upload. */
  upload: z.string(),
  /** The subject's token in prompts; `sks` by default. */
  token: trainingRequestSchema.shape.token.default("sks"),
  /** The class noun: `cat`. */
  class: trainingRequestSchema.shape.class,
  /** Training steps; the method's own by default. */
  steps: z.number().int().min(1).max(5000).optional(),
  /** Rank of the LoRA; 4 by default. */
  rank: z.number().int().min(1).max(128).optional(),
  /** AdamW's learning rate; the method's own by default. */
  learningRate: trainingRequestSchema.shape.learningRate,
  /** Instance images per evaluation; the method's own by default. */
  batch: z.number().int().min(1).max(8).optional(),
  /** Prior preservation: class images keep the class from being forgotten; the method's own by default. */
  prior: z.boolean().optional(),
  /** Number of class images; 100 by default. */
  priorCount: z.number().int().min(1).max(500).optional(),
  /** Steps between samples. */
  sampleEvery: z.number().int().min(1).optional(),
  /** The seed; 0 by default. */
  seed: trainingRequestSchema.shape.seed,
});

export const jobRequestSchema = z.union([picturesSchema, trainingJobSchema]);

export type PicturesRequest = z.output<typeof picturesSchema>;

/** The requests of a picture job, in order. */
export const requestsOf = ({ request, variations = [{}] }: PicturesRequest): PicturesRequest["request"][] =>
  variations.map((variation) => Object.assign({ ...request }, variation));

export type TrainingJobRequest = z.output<typeof trainingJobSchema>;
export type JobRequest = z.output<typeof jobRequestSchema>;

/** APIs of other servers. */
export const forms = ["openai", "community"] as const;
export type Form = (typeof forms)[number];

export const jobStates = ["queued", "running", "done", "failed", "cancelled"] as const;

export const jobSchema = z.object({
  /** Its id. */
  id,
  /** Its state. */
  state: z.enum(jobStates),
  /** The request with defaults filled in. */
  request: jobRequestSchema,
  /** The API it came through; absent for the server's own. */
  form: z.enum(forms).optional(),
  /** When it was requested, in milliseconds since 1970, like the other times. */
  created: z.number(),
  /** When it started. */
  started: z.number().optional(),
  /** When it ended. */
  ended: z.number().optional(),
  /** Steps done and in total; seconds per step and remaining, once known; and what is being done. */
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
  /** In training: the loss at each step. */
  losses: z.array(z.number()).optional(),
  /** The trained adapter. */
  adapter: z.string().optional(),
  /** Warnings, one sentence each. */
  warnings: z.array(z.string()).default([]),
  /** Why it failed, in one sentence. */
  error: z.string().optional(),
  /** A code of docs/errors.md; absent for a defect. */
  code: z.string().optional(),
  /** Whether it failed because of a defect of Tiller. */
  defect: z.boolean().optional(),
  /** How often it was started: more than once if the server stopped in between. */
  starts: z.number().default(0),
});

export type Job = z.output<typeof jobSchema>;

export const isOver = ({ state }: Pick<Job, "state">): boolean =>
  state === "done" || state === "failed" || state === "cancelled";
