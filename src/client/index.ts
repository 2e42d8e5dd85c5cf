/**
 * A client of the server's own API: in a page, or in any program that has `fetch`.
 *
 * @module tillerjs/client
 */
import { connect } from "./connection.ts";
import { ApiError } from "./error.ts";
import { eventsIn } from "./events.ts";
import type {
  Answers,
  Defaults,
  GalleryPage,
  GalleryPicture,
  GuidanceMethod,
  Job,
  JobRequest,
  Metric,
  Sampler,
  Scores,
  Shares,
  Study,
  StudyRequest,
  StudySummary,
  Upload,
} from "./types.ts";

export { ApiError } from "./error.ts";
export type {
  Answers,
  Defaults,
  GalleryPage,
  GalleryPicture,
  GuidanceMethod,
  Job,
  JobRequest,
  Metric,
  PicturesJob,
  Sampler,
  Scores,
  Shares,
  Study,
  StudyRequest,
  StudySummary,
  TrainingJob,
  Upload,
  Variation,
} from "./types.ts";

/** What ends a wait early: the signal's reason is thrown then. */
export interface WatchOptions {
  /** Ends the watching, not the job. */
  readonly signal?: AbortSignal | undefined;
}

/** Jobs: pictures to draw and subjects to learn, one after the other. */
export interface Jobs {
  /** Asks for pictures or for training; the job waits its turn. */
  add(request: JobRequest): Promise<Job>;
  /** All jobs, newest first. */
  list(): Promise<Job[]>;
  /** A job as it is now. */
  get(id: string): Promise<Job>;
  /**
   * A job as it is now and after each change, until it is over. Steps come some ten times a second at most.
   *
   * @throws ApiError if the connection breaks: what was missed is in the first job of another call.
   */
  watch(id: string, options?: WatchOptions): AsyncGenerator<Job, void, undefined>;
  /** Every change of every job from now on. */
  watchAll(options?: WatchOptions): AsyncGenerator<Job, void, undefined>;
  /** Ends a job within a step, and gives it as it is then; one that is over stays as it is. */
  stop(id: string): Promise<Job>;
  /** Ends a job; one that is over is forgotten. Its pictures stay. */
  remove(id: string): Promise<void>;
  /**
   * Scores of a job's pictures so far, in their order.
   *
   * @param references The id of an upload with pictures of the subject.
   * @param token A word of the prompt that is left out of the text: the subject's.
   */
  scores(id: string, references: string, token?: string): Promise<Scores[]>;
}

/** Pictures to learn from, brought to the server. */
export interface Uploads {
  /** Brings pictures: JPEG, PNG, WebP, AVIF or TIFF, all or none of them. */
  add(pictures: readonly Blob[]): Promise<Upload>;
  /** Where an upload's pictures are, in order, as PNG files. */
  urls(upload: Upload): string[];
}

/** The pictures that the server has. */
export interface Pictures {
  /** Some of them, newest first: `count` (60 by default) from the `from`-th on, counted from 0. */
  list(page?: { readonly from?: number; readonly count?: number }): Promise<GalleryPage>;
  /** A picture's size and recipe. */
  get(id: string): Promise<GalleryPicture>;
  /** A picture's PNG file. */
  file(id: string): Promise<Blob>;
  /** Where a picture's file is, for a page of the server's own. */
  url(id: string): string;
  /** Deletes a picture, unless a study shows it. */
  remove(id: string): Promise<void>;
}

/** Blind preference studies. */
export interface Studies {
  /** Makes a study of a finished job's pictures. */
  add(study: StudyRequest): Promise<Study>;
  /** The studies there are, newest first. */
  list(): Promise<StudySummary[]>;
  /** A study, without the answers. */
  get(id: string): Promise<Study>;
  /** Gives a person's answers; those that the person gave before are replaced. Returns the shares. */
  answer(id: string, answers: Answers): Promise<Shares>;
  /** Each arm's share of the answers so far. */
  results(id: string): Promise<Shares>;
  /** Where a study is with its answers, as JSON, or a line for each answer, as CSV. */
  exportUrl(id: string, format: "json" | "csv"): string;
}

/** A server of Tiller's. Every function throws an {@link ApiError} if the server refuses, fails or does not answer. */
export interface Client {
  /** The models there are, the default one first. */
  models(): Promise<{ name: string }[]>;
  /** The adapters there are, by name. */
  adapters(): Promise<{ name: string }[]>;
  /** What a picture of a model is made with where a request leaves it open: of the default model, if none is named. */
  defaults(of?: { readonly model?: string; readonly adapter?: string }): Promise<Defaults>;
  /** The guidance methods there are. */
  guidanceMethods(): Promise<GuidanceMethod[]>;
  /** The samplers there are. */
  samplers(): Promise<Sampler[]>;
  /** The metrics there are. */
  metrics(): Promise<Metric[]>;
  /** Work that is asked for. */
  readonly jobs: Jobs;
  /** Pictures to learn from. */
  readonly uploads: Uploads;
  /** Pictures that were drawn. */
  readonly pictures: Pictures;
  /** Preference studies. */
  readonly studies: Studies;
}

/** Whether a job will not change any more. */
export const isOver = ({ state }: Pick<Job, "state">): boolean =>
  state === "done" || state === "failed" || state === "cancelled";

/**
 * A client of a server.
 *
 * @param address Where the server is, as `tiller studio` prints it, with `?token=` if it has one. In a page of the server's
 *   own it may be left out.
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
      answer: (id, body) => ask("post /api/studies/{id}/answers", { id, body }),
      results: (id) => ask("get /api/studies/{id}/results", { id }),
      exportUrl: (id, format) => url(`/api/studies/{id}/export.${format}`, { id }),
    },
  };
}
