/** The embedded engine and the one on Redis do what every engine must. */
import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { testEngine, testFleet } from "./fleet/conformance.ts";
import { credentials, long, scale } from "./fleet/scale.ts";
import { motoHere, redisHere, startRedis, startS3 } from "./fleet/servers.ts";
import { skipped } from "./skipped.ts";

Object.assign(process.env, credentials);

async function wipe(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.flushall();
  redis.disconnect();
}

testEngine("the embedded engine", undefined);
if (!skipped(redisHere(), "redis-server is not installed, so the queue on Redis is not tested.")) {
  testEngine("Redis", startRedis);
  testEngine("Redis with the rights that docs/fleet.md gives", async () => {
    const server = await startRedis();
    const page = await readFile(new URL("../docs/fleet.md", import.meta.url), "utf8");
    const [, ...words] = /^ {4}ACL (SETUSER .*)$/m.exec(page)![0].trim().replace("PASSWORD", "secret").split(" ");
    const redis = new Redis(server.url);
    await redis.call("ACL", ...words);
    redis.disconnect();
    return { ...server, url: server.url.replace("redis://", "redis://tiller:secret@") };
  });
  testFleet("Redis and a folder", { queue: startRedis, store: async () => undefined, wipe }, scale);
  if (long && motoHere()) testFleet("Redis and S3", { queue: startRedis, store: startS3, wipe }, scale);
}
