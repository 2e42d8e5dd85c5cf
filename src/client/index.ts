/**
 * A client of the server's own API, for pages and any program with `fetch`.
 *
 * @module tillerjs/client
 */
import { connect } from "./connection.ts";
import { ApiError } from "./error.ts";
import { eventsIn } from "./events.ts";
import type {
  Defaults,
  GalleryPage,
  GalleryPicture,
  GuidanceMethod,
  Job,
  JobRequest,
  Metric,
  Participant,
  Precision,
  Sampler,
  Scores,
  Shares,
  Study,
  StudyRequest,
  Upload,
} from "./types.ts";

export { ApiError } from "./error.ts";
export type {
  Defaults,
  GalleryPage,
  GalleryPicture,
  GuidanceMethod,
  Job,
  JobRequest,
  Metric,
  Participant,
  PicturesJob,
  Precision,
  Sampler,
  Scores,
  Shares,
  Study,
  StudyRequest,
  TrainingJob,
  Upload,
  Variation,
} from "./types.ts";

/** Options of watching. */
export interface WatchOptions {
  /** Stops watching, not the job; the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Jobs: drawing pictures and training, one at a time. */
export interface Jobs {
  /** Queues a job: pictures or training. */
  add(request: JobRequest): Promise<Job>;
  /** All jobs, newest first. */
  list(): Promise<Job[]>;
  /** A job's current state. */
  get(id: string): Promise<Job>;
  /**
   * A job's current state and each change, until it ends. Steps come at most about ten times a second.
   *
   * @throws ApiError if the connection breaks: call again, and the first job includes what was missed.
   */
  watch(id: string, options?: WatchOptions): AsyncGenerator<Job, void, undefined>;
  /** Every change of every job from now on. */
  watchAll(options?: WatchOptions): AsyncGenerator<Job, void, undefined>;
  /** Cancels a job within a step and returns it; a job that has ended stays as it is. */
  stop(id: string): Promise<Job>;
  /** Cancels a job, or deletes one that has ended. Its pictures stay. */
  remove(id: string): Promise<void>;
  /**
   * Scores of a job's pictures so far, in their order.
   *
   * @param references The id of an upload with pictures of the subject.
   * @param token The subject's token, which is left out of the text.
   */
  scores(id: string, references: string, token?: string): Promise<Scores[]>;
}

/** Uploaded pictures for training. */
export interface Uploads {
  /** Uploads pictures (JPEG, PNG, WebP, AVIF or TIFF): all or none. */
  add(pictures: readonly Blob[]): Promise<Upload>;
  /** The URLs of an upload's pictures, in order, as PNG files. */
  urls(upload: Upload): string[];
}

/** The server's pictures. */
export interface Pictures {
  /** A page of them, newest first: `count` (60 by default) from index `from`. */
  list(page?: { readonly from?: number; readonly count?: number }): Promise<GalleryPage>;
  /** A picture's size and recipe. */
  get(id: string): Promise<GalleryPicture>;
  /** A picture's PNG file. */
  file(id: string): Promise<Blob>;
  /** The URL of a picture's file, for the server's own pages. */
  url(id: string): string;
  /** Deletes a picture. */
  remove(id: string): Promise<void>;
}

/** Blind preference studies. */
export interface Studies {
  /** Creates a study from copies of a finished job's pictures. */
  add(study: StudyRequest): Promise<Study>;
  /** All studies, newest first. */
  list(): Promise<Study[]>;
  /** A study, without the answers. */
  get(id: string): Promise<Study>;
  /** Invites more participants. Returns all. */
  invite(id: string, count: number): Promise<Participant[]>;
  /** The participants. */
  participants(id: string): Promise<Participant[]>;
  /** Each method's share of the answers of those who have finished. */
  results(id: string): Promise<Shares>;
  /** The URL of a study with its answers, as JSON, or as CSV with one line per answer. */
  exportUrl(id: string, format: "json" | "csv"): string;
}

/** A client of a Tiller server. Every function throws an {@link ApiError} if the server refuses, fails or does not answer. */
export interface Client {
  /** The models, the default first. */
  models(): Promise<{ name: string }[]>;
  /** The adapters, by name. */
  adapters(): Promise<{ name: string }[]>;
  /** The defaults of picture requests for a model, with an adapter or a base; for the default model if none is named. */
  defaults(of?: { readonly model?: string; readonly base?: string; readonly adapter?: string }): Promise<Defaults>;
  /** The guidance methods. */
  guidanceMethods(): Promise<GuidanceMethod[]>;
  /** The samplers. */
  samplers(): Promise<Sampler[]>;
  /** The number types that the server's machine can compute in. */
  precisions(): Promise<Precision[]>;
  /** The metrics. */
  metrics(): Promise<Metric[]>;
  /** Jobs. */
  readonly jobs: Jobs;
  /** Uploaded pictures for training. */
  readonly uploads: Uploads;
  /** Generated pictures. */
  readonly pictures: Pictures;
  /** Preference studies. */
  readonly studies: Studies;
}

/** Whether a job has ended. */
export const isOver = ({ state }: Pick<Job, "state">): boolean =>
  state === "done" || state === "failed" || state === "cancelled";

/**
 * A client of a server.
 *
 * @param address The URL that `tiller studio` prints, with `?token=` if it has one. The server's own pages may leave it out.
 */
export function createClient(address: string | URL = ""): Client {
  const { ask, open, url } = connect(address);

  async function* changes(path: string, asked: { id?: string } & WatchOptions): AsyncGenerator<Job, void, undefined> {
    const { body } = await open(path, asked);
    try {
      for await (const { event, data } of eventsIn(body!)) if (event === "job") yield JSON.parse(data) as Job;
    } catch (cause) {
      asked.signal?.throwIfAborted();
      throw new ApiError("the connection to the server broke: ask again.", { cause });
    }
  }

  return {
    models: () => ask("get /api/models"),
    adapters: () => ask("get /api/adapters"),
    defaults: (of = {}) => ask("get /api/defaults", { query: of }),
    guidanceMethods: () => ask("get /api/methods"),
    samplers: () => ask("get /api/samplers"),
    precisions: () => ask("get /api/precisions"),
    metrics: () => ask("get /api/metrics"),
    jobs: {
      add: (body) => ask("post /api/jobs", { body }),
      list: () => ask("get /api/jobs"),
      get: (id) => ask("get /api/jobs/{id}", { id }),
      async *watch(id, { signal } = {}) {
        for await (const job of changes("/api/jobs/{id}/events", { id, signal })) {
          yield job;
          if (isOver(job)) return;
        }
        throw new ApiError("the connection to the server broke: ask again.");
      },
      watchAll: ({ signal } = {}) => changes("/api/events", { signal }),
      stop: (id) => ask("post /api/jobs/{id}/stop", { id }),
      remove: (id) => ask("delete /api/jobs/{id}", { id }),
      scores: (id, references, token) => ask("get /api/jobs/{id}/scores", { id, query: { references, token } }),
    },
    uploads: {
      add(pictures) {
        const form = new FormData();
        for (const picture of pictures) form.append("pictures", picture);
        return ask("post /api/uploads", { form });
      },
      urls: ({ id, pictures }) =>
        Array.from({ length: pictures }, (_, i) => url(`/api/uploads/{id}/${String(i).padStart(2, "0")}.png`, { id })),
    },
    pictures: {
      list: (page = {}) => ask("get /api/pictures", { query: page }),
      get: (id) => ask("get /api/pictures/{id}", { id }),
      file: async (id) => (await open("/pictures/{id}.png", { id })).blob(),
      url: (id) => url("/pictures/{id}.png", { id }),
      remove: (id) => ask("delete /api/pictures/{id}", { id }),
    },
    studies: {
      add: (body) => ask("post /api/studies", { body }),
      list: () => ask("get /api/studies"),
      get: (id) => ask("get /api/studies/{id}", { id }),
      invite: (id, count) => ask("post /api/studies/{id}/participants", { id, body: { count } }),
      participants: (id) => ask("get /api/studies/{id}/participants", { id }),
      results: (id) => ask("get /api/studies/{id}/results", { id }),
      exportUrl: (id, format) => url(`/api/studies/{id}/export.${format}`, { id }),
    },
  };
}
