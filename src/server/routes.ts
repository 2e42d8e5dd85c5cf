/** The page's API: every route as data, so that its description always matches its behaviour. */

import { readdir, readFile } from "node:fs/promises";
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import { z } from "zod";
import {
  guidanceMethods,
  guidanceNames,
  type MetricName,
  metrics,
  type PrecisionName,
  precisionNames,
  samplerNames,
  samplers,
  TillerError,
  usualMetrics,
} from "../index.ts";
import { defaultsOf, exists, wrongSetting } from "../internal.ts";
import {
  answerRows,
  answersCsv,
  invite,
  type Participant,
  participantsOf,
  readStudy,
  type Study,
  sharesOf,
  stateOf,
  studyJson,
} from "../study/index.ts";
import { accept, type Door } from "./accept.ts";
import { deletePicture, galleryPage, galleryPicture, galleryPictureSchema } from "./gallery.ts";
import { type Job, jobRequestSchema, jobSchema } from "./jobs.ts";
import { refusePhotographsUnasked } from "./photographs.ts";
import type { Scoring } from "./scoring.ts";
import {
  invitationSchema,
  participantSchema,
  type Studies,
  sharesSchema,
  studyRequestSchema,
  studySchema,
} from "./studies.ts";
import { keepUpload } from "./uploads.ts";

export interface Services extends Door {
  readonly scoring: Scoring;
  readonly studies: Studies;
  /** The precision of jobs that name none. */
  readonly precision?: PrecisionName | undefined;
}

export interface Route {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/api/jobs/{id}`. */
  readonly path: string;
  readonly summary: string;
  /** The request's JSON. */
  readonly body?: z.ZodType;
  /** The answer's JSON. */
  readonly answer?: z.ZodType;
  /** The content type of the answer or the request, if not JSON. */
  readonly type?: string;
  readonly takes?: string;
  /** Whether the request's JSON contains pictures. */
  readonly holdsPictures?: true;
  /** The fields of a form other than an upload's, as JSON schema. */
  readonly form?: object;
  /** Query parameters and what each means. */
  readonly query?: Readonly<Record<string, string>>;
  /** The status on success: 200 by default. */
  readonly status?: 201 | 204;
  readonly handle: (c: Context, services: Services, body: unknown) => Promise<Response> | Response;
}

const placed = jobSchema.extend({
  /** The number of jobs before it, while it waits. */
  position: z.number().optional(),
});
const withPlace = (job: Job, { jobs }: Services) => ({ ...job, position: jobs.position(job.id) });

const settingSchema = z.object({
  /** The request's field. */
  name: z.string(),
  /** What people read. */
  label: z.string(),
  /** One line. */
  help: z.string(),
  /** In names, before the value. */
  short: z.string(),
  /** Whether names and recipes include it. */
  told: z.enum(["in names", "in recipes", "when changed"]),
  /** Whether the model, or the adapter's training method, may set another default. */
  ofModel: z.boolean().optional(),
});

const methodSchema = z.object({
  /** As requests name it. */
  name: z.enum(guidanceNames),
  /** What people read. */
  label: z.string(),
  /** One line. */
  help: z.string(),
  /** Its settings, with their ranges and defaults. */
  settings: z.array(
    z.union([
      settingSchema.extend({
        kind: z.literal("number"),
        default: z.number(),
        least: z.number().optional(),
        most: z.number().optional(),
        whole: z.literal(true).optional(),
        usual: z.object({ from: z.number(), to: z.number(), is: z.string() }).optional(),
      }),
      settingSchema.extend({ kind: z.literal("choice"), choices: z.array(z.string()), default: z.string() }),
      settingSchema.extend({
        kind: z.literal("omega"),
        default: z.number(),
        usual: z.object({ from: z.number(), to: z.number(), is: z.string() }),
        whole: z.string().optional(),
      }),
    ]),
  ),
  /** What it requires. */
  needs: z.array(z.enum(["fine-tuning", "style", "learned token", "ddim", "editing"])),
  /** The method it is compared with. */
  baseline: z.string().optional(),
  /** The settings at which it equals that method. */
  isBaselineAt: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
  /** Why it cannot skip evaluations, if so. */
  everyStep: z.string().optional(),
});

const samplerSchema = z.object({
  /** As requests name it. */
  name: z.enum(samplerNames),
  /** What the community's web UI calls it. */
  label: z.string(),
  /** Whether it has Karras spacing. */
  karras: z.boolean(),
});

const precisionSchema = z.object({
  /** Its name in jobs; what `auto` resolves to depends on the model. */
  name: z.enum(precisionNames),
  /** The device that would compute. */
  on: z.string(),
  /** Whether it is that of jobs that name none. */
  usual: z.boolean(),
});

const measured = usualMetrics as [MetricName, ...MetricName[]];

const metricSchema = z.object({
  /** Its key in scores. */
  name: z.enum(measured),
  /** What people read. */
  label: z.string(),
  /** One line. */
  help: z.string(),
  /** Whether it measures fidelity to the subject or to the text. */
  of: z.enum(["subject", "text"]),
  /** Which values are better. */
  better: z.enum(["higher", "lower"]),
});

/** Empty if the model is still to be downloaded. */
const defaultsSchema = z
  .object({
    /** The sampler. */
    sampler: z.enum(samplerNames),
    /** Sampler steps. */
    steps: z.number(),
    /** Guidance scale. */
    scale: z.number(),
    /** The negative prompt; absent if the null row's text is all zeros without one. */
    negative: z.string(),
    /** Pixels. */
    width: z.number(),
    /** Pixels. */
    height: z.number(),
    /** Width and height must be multiples of it. */
    sideMultiple: z.number(),
    /** The guidance method. */
    guidance: z.enum(guidanceNames),
    /** Omega, for methods that use it. */
    omega: z.number(),
  })
  .partial();

const uploadSchema = z.object({
  /** Its id in jobs and studies. */
  id: z.string(),
  /** How many pictures it has. */
  pictures: z.number(),
  /** Warnings about pictures of which only the first frame is kept; absent if there are none. */
  warnings: z.array(z.string()).optional(),
});

const galleryPageSchema = z.object({
  /** The pictures of the page. */
  pictures: z.array(galleryPictureSchema),
  /** How many there are. */
  total: z.number(),
});

/** A route whose method, path, body and answer are known as types. `tillerjs/client` is typed by them. */
export interface TypedRoute<M extends Route["method"], P extends string, Body, Given, Answer> extends Route {
  readonly method: M;
  readonly path: P;
  readonly body?: z.ZodType<Body, Given>;
  readonly answer?: z.ZodType<Answer>;
}

const route = <M extends Route["method"], P extends string, Body = undefined, Given = undefined, Answer = undefined>(
  one: Omit<TypedRoute<M, P, Body, Given, Answer>, "handle"> & {
    handle: (c: Context, services: Services, body: Body) => Promise<Response> | Response;
  },
) => one as TypedRoute<M, P, Body, Given, Answer>;

/** Milliseconds between events for a job's steps; changes of state are sent at once. */
const pace = 100;

export const routes = [
  route({
    method: "get",
    path: "/api/models",
    summary: "The available models",
    answer: z.array(z.object({ name: z.string() })),
    handle: (c, { models }) => c.json(models.list.map(({ name }) => ({ name }))),
  }),
  route({
    method: "get",
    path: "/api/defaults",
    summary: "The defaults of picture requests; empty if the model has not been downloaded yet",
    query: {
      model: "one of the models; the first by default",
      base: "the model that it was fine-tuned from, one of the models",
      adapter: "the name of an adapter",
    },
    answer: defaultsSchema,
    handle: async (c, { data, models }) => {
      const [model, base, adapter] = ["model", "base", "adapter"].map((name) => c.req.query(name) || undefined);
      const file = adapter && data.adapter(adapter);
      if (file && !(await exists(file))) throw notFound("adapter");
      const options = base === undefined ? {} : { base: models.get(base).source };
      return c.json((await defaultsOf(models.get(model).source, file ? [file] : [], options)) ?? {});
    },
  }),
  route({
    method: "get",
    path: "/api/methods",
    summary: "The guidance methods, each with its settings and requirements",
    answer: z.array(methodSchema),
    handle: (c) => c.json(guidanceMethods),
  }),
  route({
    method: "get",
    path: "/api/samplers",
    summary: "The samplers, and which have Karras spacing",
    answer: z.array(samplerSchema),
    handle: (c) => c.json(samplers.map(({ name, label, karras }) => ({ name, label, karras }))),
  }),
  route({
    method: "get",
    path: "/api/precisions",
    summary: "Number types that this machine can compute in, and the one for jobs that name none",
    answer: z.array(precisionSchema),
    handle: async (c, { precisions, precision = "float32" }) =>
      c.json((await precisions()).map((one) => ({ ...one, usual: one.name === precision }))),
  }),
  route({
    method: "get",
    path: "/api/metrics",
    summary: "The metrics, and whether each measures fidelity to the subject or to the text",
    answer: z.array(metricSchema),
    handle: (c) => c.json(metrics.filter(({ name }) => measured.includes(name))),
  }),
  route({
    method: "get",
    path: "/api/adapters",
    summary: "The available adapters, by name",
    answer: z.array(z.object({ name: z.string() })),
    handle: async (c, { data }) => {
      const names = (await readdir(data.adapters)).filter((name) => name.endsWith(".safetensors"));
      return c.json(names.sort().map((name) => ({ name: name.slice(0, -".safetensors".length) })));
    },
  }),
  route({
    method: "post",
    path: "/api/jobs",
    summary: "Queues a job: pictures or training",
    body: jobRequestSchema,
    answer: placed,
    status: 201,
    handle: async (c, services, body) => {
      await refusePhotographsUnasked(body, services);
      return c.json(withPlace(await accept(body, services), services), 201);
    },
  }),
  route({
    method: "get",
    path: "/api/jobs",
    summary: "All jobs, newest first",
    answer: z.array(placed),
    handle: (c, services) =>
      c.json(
        services.jobs
          .list()
          .reverse()
          .map((job) => withPlace(job, services)),
      ),
  }),
  route({
    method: "get",
    path: "/api/jobs/{id}",
    summary: "A job's current state",
    answer: placed,
    handle: (c, services) => {
      const job = services.jobs.get(c.req.param("id")!);
      if (!job) throw notFound("job");
      return c.json(withPlace(job, services));
    },
  }),
  route({
    method: "post",
    path: "/api/jobs/{id}/stop",
    summary: "Cancels a job within a step and returns it; a job that has ended stays as it is",
    answer: placed,
    handle: async (c, services) => {
      const id = c.req.param("id")!;
      if (!services.jobs.get(id)) throw notFound("job");
      await services.jobs.cancel(id);
      return c.json(withPlace(services.jobs.get(id)!, services));
    },
  }),
  route({
    method: "delete",
    path: "/api/jobs/{id}",
    summary: "Cancels a job within a step; deletes a job that has ended",
    status: 204,
    handle: async (c, { jobs }) => {
      const id = c.req.param("id")!;
      const job = jobs.get(id);
      if (!job) throw notFound("job");
      if (job.ended === undefined) await jobs.cancel(id);
      else await jobs.forget(id);
      return c.body(null, 204);
    },
  }),
  route({
    method: "get",
    path: "/api/events",
    summary: "Every change of every job, as server-sent events named job",
    type: "text/event-stream",
    handle: (c, services) => events(c, services, () => true),
  }),
  route({
    method: "get",
    path: "/api/jobs/{id}/events",
    summary: "A job's changes, starting with its current state",
    type: "text/event-stream",
    handle: (c, services) => {
      const job = services.jobs.get(c.req.param("id")!);
      if (!job) throw notFound("job");
      return events(c, services, ({ id }) => id === job.id, job);
    },
  }),
  route({
    method: "post",
    path: "/api/uploads",
    summary: "Uploads pictures for training: form fields named pictures",
    takes: "multipart/form-data",
    status: 201,
    answer: uploadSchema,
    handle: async (c, { data }) => {
      const form = await c.req.parseBody({ all: true }).catch((error) => {
        if (error instanceof TypeError)
          throw new TillerError("upload-invalid", "the upload must be a form with fields named pictures.");
        throw error;
      });
      const given = [form.pictures ?? []].flat().filter((part) => part instanceof File);
      const files = [];
      for (const file of given) files.push({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
      return c.json(await keepUpload(files, data), 201);
    },
  }),
  route({
    method: "get",
    path: "/api/pictures",
    summary: "A page of the gallery, newest first",
    query: { from: "the first picture, counted from 0", count: "how many; 60 by default" },
    answer: galleryPageSchema,
    handle: async (c, { data }) => {
      const number = (name: string, usual: number, most: number) =>
        z.coerce
          .number()
          .int()
          .min(0)
          .max(most)
          .catch(usual)
          .parse(c.req.query(name) ?? usual);
      return c.json(await galleryPage(data, { from: number("from", 0, 1e9), count: number("count", 60, 500) }));
    },
  }),
  route({
    method: "get",
    path: "/api/pictures/{id}",
    summary: "A picture's size and recipe",
    answer: galleryPictureSchema,
    handle: async (c, { data }) => {
      const picture = await galleryPicture(data, c.req.param("id")!);
      if (!picture) throw notFound("picture");
      return c.json(picture);
    },
  }),
  route({
    method: "delete",
    path: "/api/pictures/{id}",
    summary: "Deletes a picture; studies have copies",
    status: 204,
    handle: async (c, { data }) => {
      await deletePicture(data, c.req.param("id")!);
      return c.body(null, 204);
    },
  }),
  route({
    method: "get",
    path: "/pictures/{id}.png",
    summary: "A picture's file",
    type: "image/png",
    handle: async (c, { data }) => {
      const name = c.req.path.slice("/pictures/".length, -".png".length);
      const file = data.picture(decoded(name));
      if (!(await exists(file))) throw notFound("picture");
      return c.body(await readFile(file), 200, {
        "content-type": "image/png",
        "cache-control": "private, max-age=31536000",
      });
    },
  }),
  route({
    method: "get",
    path: "/api/jobs/{id}/scores",
    summary: "Scores of a job's pictures so far",
    query: { references: "an upload with pictures of the subject", token: "a word to leave out of the text" },
    answer: z.array(z.record(z.enum(measured), z.number())),
    handle: async (c, { jobs, scoring }) => {
      const job = jobs.get(c.req.param("id")!);
      if (!job) throw notFound("job");
      return c.json(await scoring.scores(job, c.req.query("references") ?? "", c.req.query("token") ?? ""));
    },
  }),
  route({
    method: "get",
    path: "/api/uploads/{id}/{name}",
    summary: "An uploaded picture",
    type: "image/png",
    handle: async (c, { data }) => {
      const file = data.uploaded(c.req.param("id")!, c.req.param("name")!);
      if (!(await exists(file))) throw notFound("picture");
      return c.body(await readFile(file), 200, { "content-type": "image/png" });
    },
  }),
  route({
    method: "get",
    path: "/api/studies",
    summary: "All studies, newest first",
    answer: z.array(studySchema),
    handle: async (c, { studies }) => c.json(await studies.list()),
  }),
  route({
    method: "post",
    path: "/api/studies",
    summary: "Creates a study from copies of a job's pictures",
    body: studyRequestSchema,
    answer: studySchema,
    status: 201,
    handle: async (c, { studies, jobs }, body) => {
      const job = jobs.get(body.job);
      if (!job) throw notFound("job");
      return c.json(await studies.make(body, job), 201);
    },
  }),
  route({
    method: "get",
    path: "/api/studies/{id}",
    summary: "A study, without the answers",
    answer: studySchema,
    handle: (c, services) => withStudy(c, services, async () => c.json(await services.studies.get(c.req.param("id")!))),
  }),
  route({
    method: "post",
    path: "/api/studies/{id}/participants",
    summary: "Invites participants: an address for each, with nothing but the study on it",
    body: invitationSchema,
    answer: z.array(participantSchema),
    status: 201,
    handle: (c, services, { count }) =>
      withStudy(c, services, async (folder) => {
        await invite(folder, count);
        return c.json(await participantsIn(folder), 201);
      }),
  }),
  route({
    method: "get",
    path: "/api/studies/{id}/participants",
    summary: "The participants' addresses, and how far each participant is",
    answer: z.array(participantSchema),
    handle: (c, services) => withStudy(c, services, async (folder) => c.json(await participantsIn(folder))),
  }),
  route({
    method: "get",
    path: "/api/studies/{id}/results",
    summary: "Each method's share of the answers, with intervals",
    answer: sharesSchema,
    handle: (c, services) => withAnswers(c, services, (study, participants) => c.json(sharesOf(study, participants))),
  }),
  route({
    method: "get",
    path: "/api/studies/{id}/export.json",
    summary: "A study with its answers and shares",
    handle: (c, services) =>
      withAnswers(c, services, (study, participants) =>
        c.body(studyJson(study, participants), 200, { "content-type": "application/json; charset=utf-8" }),
      ),
  }),
  route({
    method: "get",
    path: "/api/studies/{id}/export.csv",
    summary: "The answers as CSV, one line each",
    type: "text/csv",
    handle: (c, services) =>
      withAnswers(c, services, (study, participants) =>
        c.body(answersCsv(answerRows(study, participants)), 200, { "content-type": "text/csv; charset=utf-8" }),
      ),
  }),
];

async function withStudy(
  c: Context,
  { studies }: Services,
  use: (folder: string) => Promise<Response>,
): Promise<Response> {
  const folder = await studies.folder(c.req.param("id")!);
  if (folder === undefined) throw notFound("study");
  return use(folder);
}

const withAnswers = (
  c: Context,
  services: Services,
  use: (study: Study, participants: readonly Participant[]) => Response,
): Promise<Response> =>
  withStudy(c, services, async (folder) => use(await readStudy(folder), await participantsOf(folder)));

const participantsIn = async (folder: string): Promise<z.output<typeof participantSchema>[]> =>
  (await participantsOf(folder)).map((one) => ({
    number: one.number,
    address: `/study/${one.code}/`,
    state: stateOf(one),
  }));

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new TillerError(
      "name-invalid",
      `${JSON.stringify(name.slice(0, 80))} cannot be decoded: encode it as UTF-8.`,
    );
  }
}

export const notFound = (what: string) =>
  new TillerError("not-found", `There is no such ${what}: it may have been deleted.`);

/** A stream of job changes: steps are throttled, everything else is sent at once. */
function events(c: Context, services: Services, concerns: (job: Job) => boolean, first?: Job): Response {
  return streamSSE(c, async (stream) => {
    const last = new Map<string, { at: number; state: string; pictures: number }>();
    const pending = new Map<string, Job>();
    let wake = () => {};
    // Something changed since the loop last looked, perhaps while it was writing.
    let changed = false;
    const tell = (job: Job) => {
      if (!concerns(job)) return;
      pending.set(job.id, job);
      changed = true;
      wake();
    };
    const unwatch = services.jobs.watch(tell);
    let open = true;
    stream.onAbort(() => {
      open = false;
      unwatch();
      wake();
    });
    if (first) tell(first);
    while (open) {
      let wait = 15_000;
      changed = false;
      for (const job of [...pending.values()]) {
        const before = last.get(job.id);
        const urgent = !before || before.state !== job.state || before.pictures !== job.pictures.length;
        const rest = before ? before.at + pace - performance.now() : 0;
        if (!urgent && rest > 0) {
          wait = Math.min(wait, rest);
          continue;
        }
        pending.delete(job.id);
        last.set(job.id, { at: performance.now(), state: job.state, pictures: job.pictures.length });
        await stream.writeSSE({ event: "job", data: JSON.stringify(withPlace(job, services)) });
      }
      if (!open) break;
      let timer: NodeJS.Timeout | undefined;
      const waited = await new Promise<"woken" | "idle">((done) => {
        wake = () => done("woken");
        if (!open || changed) done("woken");
        timer = setTimeout(() => done("idle"), wait);
      });
      clearTimeout(timer);
      // A heartbeat, so that dead connections are noticed.
      if (waited === "idle" && wait === 15_000) await stream.writeSSE({ event: "alive", data: "" });
    }
  });
}

/** @throws TillerError naming the wrong field. */
export async function parseBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  // Pages of other origins can send other content types without a CORS preflight.
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header("content-type") ?? "")) {
    throw new TillerError(
      "request-invalid",
      "the request must be JSON, with the header content-type: application/json.",
    );
  }
  let value: unknown;
  try {
    value = await c.req.json();
  } catch {
    throw new TillerError("request-invalid", "the request's body is not valid JSON.");
  }
  return checked(schema, value);
}

/** @throws TillerError naming the wrong field. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TillerError("request-invalid", `${wrongSetting(parsed.error, "the request")}.`);
}
