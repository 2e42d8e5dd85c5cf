/** BullMQ on PostgreSQL. */
import type { PostgresConnectionOptions, PostgresQueueBackend, Queue, QueueEvents, Worker } from "bullmq";
import type { ClientConfig } from "pg";
import { refuseInsecure } from "./address.ts";
import { within } from "./away.ts";
import { type BullConnection, namespace } from "./bull-connection.ts";
import { optional } from "./optional-package.ts";

export async function openPostgres(url: URL, insecure: boolean): Promise<BullConnection> {
  const mode = url.searchParams.get("sslmode");
  const host = url.searchParams.get("host") || url.hostname || process.env.PGHOST;
  refuseInsecure(url, mode === "verify-full" || mode === "verify-ca" || mode === "require", insecure, host);
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
  // Workers that only fetch when they are told to need no connection to be told by.
  const asked: typeof backend = (name, options) => backend(name, options);
  class Events extends bull.QueueEvents<unknown, PostgresQueueBackend, PostgresConnectionOptions> {
    override async close() {
      if (this.closing) return this.closing;
      const client = await this.getBackend()
        .connection.getListenClient()
        .catch(() => undefined);
      const closed = super.close();
      // BullMQ stops listening for the errors of this connection before it has ended.
      client?.on("error", () => {});
      await closed;
    }
  }
  return {
    queue: (name) => new bull.Queue(name, reached(2), backend) as unknown as Queue,
    worker: (name, options) =>
      new bull.Worker(name, null, { ...reached(1), ...options, autorun: false } as never, asked as never) as Worker,
    events: (name) => new Events(name, { ...reached(1), autorun: false }, backend) as unknown as QueueEvents,
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
