/** BullMQ's two kinds of servers: how each is reached, and what each knows beside queues. */
import type { Queue, QueueEvents, QueueEventsOptions, QueueOptions, Worker, WorkerOptions } from "bullmq";
import type { ClientConfig } from "pg";
import { TillerError } from "../errors/index.ts";
import { masked, refuseInsecure } from "./address.ts";
import { optional } from "./optional-package.ts";

/** Keys on Redis begin with this word and a colon, and tables on PostgreSQL are in the schema of this name. */
const namespace = "tiller";

export interface BullConnection {
  queue(name: string): Queue;
  /** A worker that fetches only when it is told to. */
  worker(name: string, options: Partial<WorkerOptions>): Worker;
  /** A listener that begins when it is told to. */
  events(name: string): QueueEvents;
  /** Remembers that a queue is used. */
  remember(names: readonly string[]): Promise<void>;
  /** The queues that were ever used. */
  names(): Promise<string[]>;
  /** What is dangerous about the server's configuration, one sentence each. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/** Milliseconds after which a server that does not answer the first call is taken to be unreachable. */
const patience = 10_000;

/** @throws TillerError if the server cannot be reached or may not be used. */
export async function connectBull(address: string, { insecure = false } = {}): Promise<BullConnection> {
  const url = new URL(address);
  const opening = url.protocol.startsWith("redis") ? openRedis : openPostgres;
  try {
    return await opening(url, insecure);
  } catch (error) {
    if (error instanceof TillerError) throw error;
    const reason = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
    throw new TillerError("queue-unreachable", `the queue ${masked(address)} cannot be used: ${reason}.`, {
      cause: error,
    });
  }
}

async function openRedis(url: URL, insecure: boolean): Promise<BullConnection> {
  refuseInsecure(url, url.protocol === "rediss:", insecure);
  const packages = "bullmq ioredis";
  const [bull, { Redis }] = await optional(packages, () => Promise.all([import("bullmq"), import("ioredis")]));
  // Calls wait while the server is away.
  const calls = new Redis(url.href, { maxRetriesPerRequest: null, lazyConnect: true, retryStrategy: tries });
  calls.on("error", () => {});
  const warnings: string[] = [];
  try {
    await within(calls.connect());
    const info = (await within(calls.info())) as string;
    if (/^aof_enabled:0/m.test(info))
      warnings.push("Redis has no append-only file, so it loses the queue when it crashes: set appendonly yes");
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    if (policy !== undefined && policy !== "noeviction")
      warnings.push(`Redis may evict jobs (maxmemory-policy ${policy}): set maxmemory-policy noeviction`);
  } catch (error) {
    calls.disconnect();
    throw error;
  }
  // The server's version and policy are known already; BullMQ would print its own warnings.
  const connection = { connection: calls, prefix: namespace, skipVersionCheck: true };
  return {
    queue: (name) => new bull.Queue(name, connection satisfies QueueOptions),
    worker: (name, options) => new bull.Worker(name, null, { ...connection, ...options, autorun: false }),
    events: (name) => new bull.QueueEvents(name, { ...connection, autorun: false } satisfies QueueEventsOptions),
    async remember(names) {
      if (names.length > 0) await calls.sadd(`${namespace}:queues`, ...names);
    },
    names: async () => (await calls.smembers(`${namespace}:queues`)).sort(),
    warnings,
    async close() {
      calls.disconnect();
    },
  };
}

/** Milliseconds to wait before the next attempt to reach the server again. */
const tries = (times: number): number => Math.min(times * 100, 2000);

async function openPostgres(url: URL, insecure: boolean): Promise<BullConnection> {
  const mode = url.searchParams.get("sslmode");
  refuseInsecure(url, mode === "verify-full" || mode === "verify-ca" || mode === "require", insecure);
  const [bull, { default: pg }] = await optional("bullmq pg", () => Promise.all([import("bullmq"), import("pg")]));
  const connectionString = url.href;
  // A pool leaves the errors of a connection to those who have it, and BullMQ does not listen: they would end the process.
  class Client extends pg.Client {
    constructor(config?: string | ClientConfig) {
      super(config);
      this.on("error", () => {});
    }
  }
  const own = new pg.Pool({ connectionString, max: 1, Client });
  own.on("error", () => {});
  try {
    const client = await within(started(() => own.connect()));
    try {
      // Migrated here, once: BullMQ keeps a failure of its own first call for ever.
      await bull.runMigrations(client, namespace);
    } finally {
      client.release();
    }
  } catch (error) {
    await own.end();
    throw error;
  }
  const reached = (max: number) => ({ connection: { connectionString, schema: namespace, max, Client } });
  const backend = bull.createPostgresBackend;
  return {
    queue: (name) => new bull.Queue(name, reached(2), backend) as unknown as Queue,
    worker: (name, options) =>
      new bull.Worker(name, null, { ...reached(1), ...options, autorun: false } as never, backend as never) as Worker,
    events: (name) => new bull.QueueEvents(name, { ...reached(1), autorun: false }, backend) as unknown as QueueEvents,
    async remember() {},
    async names() {
      const { rows } = await own.query<{ queue: string }>(`SELECT DISTINCT queue FROM ${namespace}.job ORDER BY queue`);
      return rows.map(({ queue }) => queue);
    },
    warnings: [],
    close: () => own.end(),
  };
}

/** Repeats a call while the server is starting. */
async function started<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: string }).code !== "57P03") throw error;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

/** @throws Error if `work` takes longer than a server that is there would. */
async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it does not answer")), patience);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
