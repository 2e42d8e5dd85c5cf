/** OpenAI's image API: POST /v1/images/generations. */

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { pictureRequestSchema } from "../index.ts";
import { settingFields } from "../internal.ts";
import { jobDone } from "./job-done.ts";
import { picturesSchema, precisionSchema, settingsIn } from "./jobs.ts";
import { checked, type Route, type Services } from "./routes.ts";

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
  adapters: picturesSchema.shape.adapters.optional(),
});

export const openAiRoute: Route = {
  method: "post",
  path: "/v1/images/generations",
  summary:
    "Generates pictures with OpenAI's API; guidance and its settings, steps, seed, sampler, precision and adapters are additional fields",
  body: bodySchema,
  answer: z.object({
    created: z.number(),
    data: z.array(z.object({ b64_json: z.string().optional(), url: z.string().optional() })),
  }),
  async handle(c, services: Services, body) {
    const { prompt, model, n, size, response_format, precision, adapters, ...rest } = body as z.output<
      typeof bodySchema
    >;
    const [width, height] = size && size !== "auto" ? size.split("x").map(Number) : [];
    const { guidance, steps, negative, sampler } = rest;
    // Without a seed every call gives a different picture, as clients of this API expect.
    const seed = rest.seed ?? Math.floor(Math.random() * 2 ** 32);
    const settings = { guidance, ...settingsIn(rest), steps, negative, sampler };
    const request = {
      model: services.models.list.some(({ name }) => name === model) ? model : undefined,
      precision,
      adapters: adapters ?? [],
      request: { prompt, ...settings, seed, count: n ?? 1, ...(width !== undefined && { width, height }) },
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
  },
};
