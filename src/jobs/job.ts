/** What a job is, and what every engine does with jobs. */
import { z } from "zod";
import { digestOf } from "../bytes/node/digest.ts";
import { pathsOf, TillerError, withoutFolders } from "../errors/index.ts";

/** `train` and `draw` are an experiment's units; `pictures` and `training` are Studio's. */
export const jobKinds = ["train", "draw", "pictures", "training"] as const;
export type JobKind = (typeof jobKinds)[number];

/** A piece of work that any worker may do. */
export interface JobSpec {
  /** The key of its result in the store, so that equal work is one job. */
  readonly id: string;
  readonly kind: JobKind;
  /** Workers choose what they do by queues: {@link queueOf}. */
  readonly queue: string;
  /** Smaller numbers come first. */
  readonly priority: number;
  /** Names and keys of the store, as JSON of at most {@link largestData} bytes. Never paths. */
  readonly data: unknown;
}

/** What finds a job. */
export type JobAddress = Pick<JobSpec, "id" | "queue">;

export const jobStates = ["waiting", "running", "done", "failed", "cancelled"] as const;
export type JobState = (typeof jobStates)[number];

export interface JobStatus {
  readonly state: JobState;
  /** Why it failed. */
  readonly error?: Error | undefined;
}

/** How far a running job is. */
export interface JobProgress {
  readonly done: number;
  readonly total: number;
  /** What is being done, and which part of it. */
  readonly what: string;
  readonly detail: string;
  /** What only the kind's own reader understands. */
  readonly more?: unknown;
}

const progressSchema = z.looseObject({ done: z.number(), total: z.number(), what: z.string(), detail: z.string() });

/** The same progress, if it is one. */
export const checkedProgress = (value: unknown): JobProgress | undefined => progressSchema.safeParse(value).data;

/** A change of a job. Events are hints: one may be lost or come twice, and {@link Jobs.states} tells the truth. */
export interface JobEvent {
  readonly id: string;
  readonly state?: JobState | undefined;
  readonly progress?: JobProgress | undefined;
}

/** What a handler is given beside the job. */
export interface HandlerContext {
  /** Aborted when the job is cancelled, when its lock is lost, or when the worker stops. */
  readonly signal: AbortSignal;
  progress(progress: JobProgress): void;
}

/**
 * Does a job; its result is in the store when the promise resolves. Jobs in `next` are ensured before the job counts as done.
 * A handler may be called twice for one job, by two workers even at the same time.
 */
export type Handler = (job: JobSpec, at: HandlerContext) => Promise<Handled>;

export interface Handled {
  readonly next?: readonly JobSpec[] | undefined;
  /** How many pictures it drew. */
  readonly pictures?: number | undefined;
}

/** A worker at work. */
export interface Working {
  /** Stops it: a running handler is aborted and its job waits again. */
  close(): Promise<void>;
}

export interface Jobs {
  /** Adds unknown jobs, retries failed and cancelled ones, and repeats those that are done: their result is missing. */
  ensure(jobs: readonly JobSpec[]): Promise<void>;
  /** The state of each known job, by id. */
  states(jobs: readonly JobAddress[]): Promise<ReadonlyMap<string, JobStatus>>;
  /** Waiting jobs never start, and running ones are aborted. */
  cancel(jobs: readonly JobAddress[]): Promise<void>;
  /** Calls `listener` with changes; returns a function that unsubscribes. */
  events(listener: (event: JobEvent) => void): () => void;
  /** Known queues with their jobs by state. */
  counts(): Promise<ReadonlyMap<string, Readonly<Record<JobState, number>>>>;
  /** The jobs of a queue in a state, oldest first. */
  list(queue: string, state: JobState): Promise<readonly JobSpec[]>;
  /** Does jobs of these queues, one at a time, until it is closed. */
  work(queues: readonly string[], handler: Handler): Working;
  close(): Promise<void>;
}

/** A result's key: what it is, and a hash of everything that affects it. It is also a job's id. */
export const keyPattern = /^[a-z]+-[0-9a-f]{20}$/;

/** The most bytes of a job's data as JSON. */
export const largestData = 2048;

const specSchema = z.strictObject({
  id: z.string().regex(keyPattern),
  kind: z.enum(jobKinds),
  queue: z.string().regex(keyPattern),
  priority: z.number().int().min(0).max(2_000_000),
  data: z.unknown(),
});

/**
 * The same job, if it is one.
 *
 * @throws TillerError `job-invalid` if it has another form or is too long.
 */
export function checkedJob(job: unknown): JobSpec {
  const parsed = specSchema.safeParse(job);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TillerError("job-invalid", `a job's ${issue!.path.join(".") || "form"} is wrong: ${issue!.message}.`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(parsed.data.data) ?? "");
  if (bytes > largestData) {
    throw new TillerError("job-invalid", `the job ${parsed.data.id} has ${bytes} bytes of data, over ${largestData}.`);
  }
  return parsed.data;
}

/** The queue of jobs of a kind with the model of a hash, so that a worker can keep to the model it has loaded. */
export const queueOf = (kind: JobKind, model: string): string => `${kind}-${digestOf(model)}`;

/** The queues of kinds of jobs with several models; those of earlier kinds come first. */
export const queuesOf = (kinds: readonly JobKind[], models: readonly string[]): string[] =>
  kinds.flatMap((kind) => models.map((model) => queueOf(kind, model)));

/** Whether another attempt would end the same: the call itself is wrong. */
export const isWrongCall = (error: unknown): boolean => error instanceof TillerError && error.kind === "usage";

/** Makes an error a text that {@link errorFrom} reads, without folders of this machine. */
export function errorText(error: unknown): string {
  if (error instanceof TillerError) return `${error.code}: ${withoutFolders(error)}`;
  if (!(error instanceof Error)) return String(error);
  return withoutFolders({ message: error.message, paths: pathsOf(error) });
}
