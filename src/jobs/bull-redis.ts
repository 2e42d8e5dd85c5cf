/** BullMQ on Redis. */
import type { QueueEventsOptions, QueueOptions } from "bullmq";
import { refuseInsecure } from "./address.ts";
import { isAway, within } from "./away.ts";
import { type BullConnection, namespace } from "./bull-connection.ts";
import { optional } from "./optional-package.ts";

export async function openRedis(url: URL, insecure: boolean): Promise<BullConnection> {
  const host = url.hostname || url.searchParams.get("host") || "";
  refuseInsecure(url, url.protocol === "rediss:", insecure, host);
  const packages = "bullmq ioredis";
  const [bull, { Redis }] = await optional(packages, () => Promise.all([import("bullmq"), import("ioredis")]));
  // Calls wait while the server is away.
  const calls = new Redis(url.href, { maxRetriesPerRequest: null, lazyConnect: true, retryStrategy: tries });
  // Calls only say that the connection is closed; this says why.
  let trouble: Error | undefined;
  calls.on("error", (error) => {
    trouble = error;
  });
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
    throw (isAway(error) && trouble) || error;
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
