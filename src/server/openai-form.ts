/** OpenAI's image API: POST /v1/images/generations and /v1/images/edits. */

import { readFile } from "node:fs/promises";
import type { Context } from "hono";
import { z } from "zod";
import { pictureRequestSchema, TillerError } from "../index.ts";
import { settingFields } from "../internal.ts";
import { jobDone } from "./job-done.ts";
import { picturesSchema, precisionSchema, settingsIn } from "./jobs.ts";
import { checked, type Route, type Services } from "./routes.ts";
import { type Brought, withUploads } from "./uploads.ts";

const shape = pictureRequestSchema.shape;

const bodySchema = z.looseObject({
  prompt: z.string(),
  model: z.string().optional(),
  n: z.number().int().min(1).max(10).nullish(),
  /** "auto", or width and height: "512x512". */
  size: z
    .string()
    .regex(/^(auto|\d+x\d+)$/, 'must be "auto" or like "512x512"')
    .nullish(),
  response_format: z.enum(["url", "b64_json"]).nullish(),
  // Additional fields.
  guidance: shape.guidance.optional(),
  ...settingFields,
  steps: shape.steps.optional(),
  seed: shape.seed.unwrap().optional(),
  sampler: shape.sampler.optional(),
  negative: shape.negative,
  precision: precisionSchema,
  base: picturesSchema.shape.base,
  adapters: picturesSchema.shape.adapters.optional(),
});

type Given = z.output<typeof bodySchema>;

const answerSchema = z.object({
  created: z.number(),
  data: z.array(z.object({ b64_json: z.string().optional(), url: z.string().optional() })),
});

/** Draws what a request of OpenAI's asks for, and answers as OpenAI does. */
async function drawn(c: Context, services: Services, given: Given, from: Record<string, unknown> = {}) {
  const { prompt, model, n, size, response_format, precision, base, adapters, ...rest } = given;
  const [width, height] = size && size !== "auto" ? size.split("x").map(Number) : [];
  const { guidance, steps, negative, sampler } = rest;
  // Without a seed every call gives a different picture, as clients of this API expect.
  const seed = rest.seed ?? Math.floor(Math.random() * 2 ** 32);
  const settings = { guidance, ...settingsIn(rest), steps, negative, sampler };
  const request = {
    model: services.models.list.some(({ name }) => name === model) ? model : undefined,
    base,
    precision,
    adapters: adapters ?? [],
    request: { prompt, ...settings, seed, count: n ?? 1, ...(width !== undefined && { width, height }), ...from },
  };
  const job = await jobDone(checked(picturesSchema, request), services, "openai", c.req.raw.signal);
  const data = await Promise.all(
    job.pictures.map(async (id) =>
      response_format === "url"
        ? { url: new URL(`/pictures/${id}.png`, c.req.url).href }
        : { b64_json: (await readFile(services.data.picture(id))).toString("base64") },
    ),
  );
  return c.json({ created: Math.floor(Date.now() / 1000), data });
}

const generations: Route = {
  method: "post",
  path: "/v1/images/generations",
  summary:
    "Generates pictures with OpenAI's API; guidance and its settings, steps, seed, sampler, precision, base and adapters are additional fields",
  body: bodySchema,
  answer: answerSchema,
  handle: (c, services, body) => drawn(c, services, body as Given),
};

const editSchema = bodySchema.extend({
  /** How much of the picture is given up. */
  strength: shape.strength,
});

/** Fields of a form that are texts even if they look like numbers. */
const texts = new Set([
  "prompt",
  "negative",
  "model",
  "base",
  "size",
  "response_format",
  "guidance",
  "sampler",
  "precision",
]);

const edits: Route = {
  method: "post",
  path: "/v1/images/edits",
  summary:
    "Generates pictures from a picture with OpenAI's API; the mask's transparent part is repainted, or its white part if nothing is transparent; a model for editing changes the picture by the prompt, without a mask; strength and the fields of generations are additional fields",
  takes: "multipart/form-data",
  form: {
    type: "object",
    properties: {
      image: { type: "string", contentMediaType: "application/octet-stream" },
      mask: { type: "string", contentMediaType: "application/octet-stream" },
      ...(z.toJSONSchema(editSchema, { io: "input", unrepresentable: "any" }).properties as object),
    },
    required: ["image", "prompt"],
  },
  answer: answerSchema,
  async handle(c, services: Services) {
    const form = await c.req.parseBody({ all: true }).catch((error: unknown) => {
      throw error instanceof TypeError ? new TillerError("request-invalid", "the request must be a form.") : error;
    });
    const given = checked(editSchema, Object.fromEntries(Object.entries(form).flatMap(fieldValue)));
    const image = await pictureIn(form, "image");
    if (!image) throw new TillerError("request-invalid", "image: the form has no such picture.");
    const mask = await pictureIn(form, "mask");
    const files = { image, ...(mask && { mask: { ...mask, as: "transparent mask" as const } }) };
    return withUploads(files, services.data, (uploads) =>
      drawn(c, services, given, { ...uploads, strength: given.strength }),
    );
  },
};

export const openAiRoutes: readonly Route[] = [generations, edits];

type Field = string | File | (string | File)[];

/** A form's field as JSON has it; none for pictures. */
function fieldValue([key, field]: [string, Field]): [string, unknown][] {
  if (typeof field !== "string") return [];
  if (key === "adapters") return [[key, parsed(field)]];
  return [[key, texts.has(key) || field.trim() === "" || Number.isNaN(Number(field)) ? field : Number(field)]];
}

/** The value of JSON; a text that is none stays one, and is then refused by its field's name. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The only picture in a form's field, which clients also name with brackets, as a list. */
async function pictureIn(form: Readonly<Record<string, Field>>, name: string): Promise<Brought | undefined> {
  const files = [form[name] ?? [], form[`${name}[]`] ?? []].flat(2).filter((field) => field instanceof File);
  if (files.length > 1) throw new TillerError("request-invalid", `${name}: give one picture, not ${files.length}.`);
  const [file] = files;
  return file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}
