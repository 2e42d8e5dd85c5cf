/** The API of AUTOMATIC1111's web UI: /sdapi/v1/txt2img, img2img and the other routes its clients need. */

import { readdir, readFile } from "node:fs/promises";
import type { Context } from "hono";
import { z } from "zod";
import {
  type AdapterStrength,
  pictureRequestSchema,
  readPicture,
  type SamplerName,
  samplers,
  TillerError,
} from "../index.ts";
import { parseAdapter, settingFields } from "../internal.ts";
import { jobDone } from "./job-done.ts";
import { picturesSchema, precisionSchema, settingsIn } from "./jobs.ts";
import { checked, type Route, type Services } from "./routes.ts";
import { withUploads } from "./uploads.ts";

const shape = pictureRequestSchema.shape;

/** The samplers by their names in the web UI. */
const samplersByLabel: Readonly<Record<string, { sampler: SamplerName; karras?: true }>> = Object.fromEntries(
  samplers.flatMap(({ name: sampler, label, karrasLabel }) => [
    [label, { sampler }],
    ...(karrasLabel === undefined ? [] : [[karrasLabel, { sampler, karras: true }]]),
  ]),
);

const bodySchema = z.looseObject({
  /** May name adapters: `<lora:name:0.8>`. */
  prompt: z.string().default(""),
  /** As in the web UI, an empty one is none. */
  negative_prompt: z.string().default(""),
  seed: z.number().int().default(-1),
  steps: shape.steps.optional(),
  cfg_scale: z.number().optional(),
  width: shape.width,
  height: shape.height,
  batch_size: z.number().int().min(1).max(64).default(1),
  n_iter: z.number().int().min(1).max(64).default(1),
  sampler_name: z.string().nullish(),
  scheduler: z.string().nullish(),
  override_settings: z.looseObject({ sd_model_checkpoint: z.string().nullish() }).nullish(),
  // Additional fields.
  guidance: shape.guidance.optional(),
  ...settingFields,
  precision: precisionSchema,
});

/** The model chosen through the options, until the server stops. */
const chosen = new WeakMap<Services["models"], string>();

type Given = z.output<typeof bodySchema>;

/** Draws what a request of the web UI's asks for, and answers as the web UI does. */
async function drawn(c: Context, services: Services, given: Given, from: Record<string, unknown> = {}) {
  const { prompt, adapters } = adaptersIn(given.prompt);
  const sampling = given.sampler_name ? samplersByLabel[given.sampler_name] : {};
  if (!sampling) {
    throw new TillerError(
      "sampler-unknown",
      `sampler_name: unknown sampler ${given.sampler_name}: choose one of ${Object.keys(samplersByLabel).join(", ")}.`,
    );
  }
  const karras = given.scheduler?.toLowerCase() === "karras" && { karras: true };
  const asked = given.override_settings?.sd_model_checkpoint ?? chosen.get(services.models);
  const { steps, width, height, guidance, cfg_scale } = given;
  const { scale = cfg_scale, ...settings } = settingsIn(given);
  const request = checked(picturesSchema, {
    model: asked,
    precision: given.precision,
    adapters,
    request: {
      prompt,
      negative: given.negative_prompt || undefined,
      seed: given.seed < 0 ? Math.floor(Math.random() * 2 ** 32) : given.seed,
      count: given.batch_size * given.n_iter,
      scale,
      ...settings,
      ...sampling,
      ...karras,
      steps,
      width,
      height,
      guidance,
      ...from,
    },
  });
  const job = await jobDone(request, services, "community", c.req.raw.signal);
  const images = await Promise.all(
    job.pictures.map(async (id) => (await readFile(services.data.picture(id))).toString("base64")),
  );
  const texts = await Promise.all(job.pictures.map((id) => readPicture(services.data.picture(id))));
  const info = {
    prompt,
    negative_prompt: given.negative_prompt,
    seed: request.request.seed,
    all_seeds: job.pictures.map((_, i) => request.request.seed + i),
    infotexts: texts.map(({ parameters }) => parameters ?? ""),
    ...(texts[0] && { width: texts[0].width, height: texts[0].height }),
  };
  return { images, info: JSON.stringify(info) };
}

const pictureAnswer = z.object({ images: z.array(z.string()), parameters: z.unknown(), info: z.string() });

const txt2img: Route = {
  method: "post",
  path: "/sdapi/v1/txt2img",
  summary: "Generates pictures with the web UI's API; guidance, its settings and precision are additional fields",
  body: bodySchema,
  answer: pictureAnswer,
  async handle(c, services, body) {
    const given = body as Given;
    return c.json({ ...(await drawn(c, services, given)), parameters: given });
  },
};

/** What the web UI does, where Tiller has one way. */
const only = (value: number | boolean, what: string) =>
  z.literal(value, `only ${value} is supported: ${what}`).optional();

const fromPictureSchema = bodySchema.extend({
  /** The picture to start from, in base64 or as a data URL. */
  init_images: z.array(z.string()).length(1, "must be one picture"),
  /** White is repainted; as large as the picture. */
  mask: z.string().nullish(),
  /** 1 if black is repainted instead. */
  inpainting_mask_invert: z.literal([0, 1, false, true]).nullish(),
  denoising_strength: shape.strength.unwrap().default(0.75),
  inpainting_fill: only(1, "the picture's own pixels are under the mask"),
  inpaint_full_res: only(false, "the whole picture is drawn"),
  resize_mode: z.literal([0, 1], "only 0 and 1 are supported, which both crop and resize").optional(),
});

const img2img: Route = {
  method: "post",
  path: "/sdapi/v1/img2img",
  summary: "Generates pictures from a picture, and a mask, with the web UI's API",
  body: fromPictureSchema,
  holdsPictures: true,
  answer: pictureAnswer,
  async handle(c, services, body) {
    const { init_images, mask, ...given } = body as z.output<typeof fromPictureSchema>;
    const files = {
      image: { name: "init_images", bytes: fromBase64(init_images[0]!) },
      ...(mask && {
        mask: {
          name: "mask",
          bytes: fromBase64(mask),
          ...(given.inpainting_mask_invert && { as: "black mask" as const }),
        },
      }),
    };
    const answer = await withUploads(files, services.data, (uploads) =>
      drawn(c, services, given, { ...uploads, strength: given.denoising_strength }),
    );
    return c.json({ ...answer, parameters: given });
  },
};

/** The bytes of base64, with or without a data URL's beginning. */
const fromBase64 = (text: string): Uint8Array => Buffer.from(text.replace(/^data:[^,]*,/, ""), "base64");

/** Takes `<lora:name:0.8>` out of a prompt. */
function adaptersIn(prompt: string): { prompt: string; adapters: { name: string; strength: AdapterStrength }[] } {
  const adapters: { name: string; strength: AdapterStrength }[] = [];
  const rest = prompt.replace(/<lora:([^<>]*)>/g, (_, spec: string) => {
    const { file: name, strength = 1 } = parseAdapter(spec);
    adapters.push({ name, strength });
    return "";
  });
  return { prompt: rest.replace(/\s+/g, " ").trim(), adapters };
}

const optionsAnswer = z.looseObject({ sd_model_checkpoint: z.string() });

export const communityRoutes: readonly Route[] = [
  txt2img,
  img2img,
  {
    method: "get",
    path: "/sdapi/v1/options",
    summary: "The options that clients may read",
    answer: optionsAnswer,
    handle: (c, { models }) =>
      c.json({ sd_model_checkpoint: chosen.get(models) ?? models.list[0]!.name, CLIP_stop_at_last_layers: 1 }),
  },
  {
    method: "post",
    path: "/sdapi/v1/options",
    summary: "Chooses the model for requests that name none; an unknown model is refused",
    body: z.looseObject({ sd_model_checkpoint: z.string().nullish() }),
    handle: (c, { models }, body) => {
      const asked = (body as { sd_model_checkpoint?: string | null }).sd_model_checkpoint;
      if (asked) chosen.set(models, models.get(asked).name);
      return c.json({});
    },
  },
  {
    method: "get",
    path: "/sdapi/v1/sd-models",
    summary: "The available models",
    handle: (c, { models }) =>
      c.json(
        models.list.map(({ name }) => ({
          title: name,
          model_name: name,
          hash: null,
          sha256: null,
          filename: name,
          config: null,
        })),
      ),
  },
  {
    method: "get",
    path: "/sdapi/v1/samplers",
    summary: "The available samplers",
    handle: (c) => c.json(Object.keys(samplersByLabel).map((name) => ({ name, aliases: [], options: {} }))),
  },
  {
    method: "get",
    path: "/sdapi/v1/loras",
    summary: "The available adapters",
    handle: async (c, { data }) => {
      const names = (await readdir(data.adapters)).filter((name) => name.endsWith(".safetensors")).sort();
      return c.json(
        names.map((file) => {
          const name = file.slice(0, -".safetensors".length);
          return { name, alias: name, path: name, metadata: {} };
        }),
      );
    },
  },
  {
    method: "get",
    path: "/sdapi/v1/progress",
    summary: "Progress of the running job",
    handle: (c, services: Services) => {
      const job = services.jobs.list().find(({ state }) => state === "running");
      const { done, total, secondsLeft = 0 } = job?.progress ?? { done: 0, total: 1 };
      return c.json({
        progress: job ? done / total : 0,
        eta_relative: secondsLeft,
        state: {
          job: job?.id ?? "",
          job_count: services.jobs.list().filter(({ ended }) => ended === undefined).length,
          sampling_step: done,
          sampling_steps: total,
          interrupted: false,
          skipped: false,
        },
        current_image: null,
        textinfo: null,
      });
    },
  },
  {
    method: "post",
    path: "/sdapi/v1/interrupt",
    summary: "Cancels the running job if it came through this API",
    handle: async (c, { jobs }) => {
      const job = jobs.list().find(({ state, form }) => state === "running" && form === "community");
      if (job) await jobs.cancel(job.id);
      return c.json({});
    },
  },
];
