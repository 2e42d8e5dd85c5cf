/** The server, as the page asks it. Types are the server's own. */
import type { Method as OwnMethod } from "../../src/guidance/method.ts";
import type { Metric as OwnMetric } from "../../src/metrics/metric.ts";
import type { SamplerKind } from "../../src/samplers/kind.ts";
import type { GalleryPicture } from "../../src/server/gallery.ts";
import type { Job as ServerJob } from "../../src/server/jobs.ts";

export type Job = ServerJob & { position?: number };
export type { GalleryPicture };

/** What a job of pictures is asked for with; the server fills in what is absent. */
export interface PicturesJob {
  model?: string;
  adapters?: { name: string; strength: number }[];
  request: { prompt: string; [setting: string]: number | string | boolean | undefined };
  variations?: Settings[];
}

/** A method and its settings by their names: what the server's methods have. */
export interface Settings {
  guidance?: string;
  [setting: string]: number | string | undefined;
}

/** A guidance method as the server tells it. */
export type Method = Omit<OwnMethod, "guide">;

export interface TrainingJob {
  kind: "training";
  model?: string;
  name: string;
  upload: string;
  token: string;
  class: string;
  steps?: number;
  rank?: number;
  learningRate?: number;
  batch?: number;
  priorCount?: number;
  sampleEvery?: number;
}

/** The pictures are photographs, and the model would be dinghy. */
export class Photographs extends Error {}
/** The server has no such thing, or no longer. */
export class NotFound extends Error {}
/** The server has another token than this page. */
export class NotSignedIn extends Error {}

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(path, init).catch(() => {
    throw new Error("the server does not answer; is tiller studio still running?");
  });
  if (!answer.ok) {
    const { error, code } = (await answer.json().catch(() => ({}))) as { error?: string; code?: string };
    const message = error ?? `the server answered ${answer.status}`;
    if (code === "photographs-on-dinghy") throw new Photographs(message);
    const Kind = answer.status === 404 ? NotFound : answer.status === 401 ? NotSignedIn : Error;
    throw new Kind(message);
  }
  return answer.status === 204 ? (undefined as T) : answer.json();
}

const send = <T>(path: string, body: unknown) =>
  ask<T>(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const models = () => ask<{ name: string }[]>("/api/models");
/** What the server fills in where a job says nothing; empty while it does not know. */
export interface Defaults {
  readonly sampler?: string;
  readonly steps?: number;
  readonly scale?: number;
  readonly width?: number;
  readonly height?: number;
  readonly omega?: number;
}

export const defaults = (model: string, adapter: string) =>
  ask<Defaults>(`/api/defaults?${new URLSearchParams({ model, adapter })}`);
export const methods = () => ask<Method[]>("/api/methods");

export type Sampler = Pick<SamplerKind, "name" | "label" | "karras">;

export const samplers = () => ask<Sampler[]>("/api/samplers");
export const adapters = () => ask<{ name: string }[]>("/api/adapters");
export const jobOf = (id: string) => ask<Job>(`/api/jobs/${id}`);
export const start = (job: PicturesJob | TrainingJob) => send<Job>("/api/jobs", job);
export const stop = (id: string) => send<Job>(`/api/jobs/${id}/stop`, {});
export const gallery = (from: number, count: number) =>
  ask<{ pictures: GalleryPicture[]; total: number }>(`/api/pictures?from=${from}&count=${count}`);
export const removePicture = (id: string) => ask<void>(`/api/pictures/${id}`, { method: "DELETE" });
export const pictureUrl = (id: string) => `/pictures/${id}.png`;

/** Pictures brought to the server. */
export interface Upload {
  readonly id: string;
  readonly pictures: number;
}

/** Where its pictures are, in order. */
export const uploadedUrls = ({ id, pictures }: Upload): string[] =>
  Array.from({ length: pictures }, (_, i) => `/api/uploads/${id}/${String(i).padStart(2, "0")}.png`);

export function upload(files: readonly File[]): Promise<Upload> {
  const form = new FormData();
  for (const file of files) form.append("pictures", file);
  return ask("/api/uploads", { method: "POST", body: form });
}

export type Metric = Omit<OwnMetric, "score">;

export const metrics = () => ask<Metric[]>("/api/metrics");

/** By the metrics' names. The plane's axes are two of them. */
export type Scores = { readonly dino: number; readonly clipT: number } & Readonly<Record<string, number>>;

export const scoresOf = (job: string, references: string, token: string) =>
  ask<Scores[]>(`/api/jobs/${job}/scores?references=${references}&token=${encodeURIComponent(token)}`);

export interface Study {
  readonly id: string;
  readonly title: string;
  readonly arms: readonly string[];
  readonly sets: readonly { readonly pictures: readonly string[]; readonly prompt: string }[];
  readonly references: readonly string[];
}

export interface Answer {
  readonly set: number;
  /** Which arm, or undecided. */
  readonly subject: number | null;
  readonly text: number | null;
}

export interface Shares {
  readonly people: number;
  readonly answers: number;
  /** For each question, each arm's share with its interval, undecided last. */
  readonly questions: Readonly<
    Record<"subject" | "text", readonly { arm: string; share: number; low: number; high: number }[]>
  >;
}

export const studies = () => ask<{ id: string; title: string; people: number }[]>("/api/studies");
export const studyOf = (id: string) => ask<Study>(`/api/studies/${id}`);
export const newStudy = (study: { title: string; job: string; arms: string[]; seeds: number; references?: string }) =>
  send<Study>("/api/studies", study);
export const answer = (id: string, person: string, answers: readonly Answer[]) =>
  send<Shares>(`/api/studies/${id}/answers`, { person, answers });
export const sharesOf = (id: string) => ask<Shares>(`/api/studies/${id}/results`);

export const isOver = ({ state }: Job) => state === "done" || state === "failed" || state === "cancelled";
