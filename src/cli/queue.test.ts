/** `tiller queue` on a real server, and the calls that name none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused, tiller } from "../../test/fake-world.ts";
import { redisHere, type Server, startRedis } from "../../test/fleet/servers.ts";
import { skipped } from "../../test/skipped.ts";
import { openJobs } from "../jobs/index.ts";

const key = "0123456789abcdef0123";
const without = skipped(redisHere(), "redis-server is not installed, so tiller queue is not tested.");

describe.skipIf(without)("tiller queue", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startRedis();
    const jobs = await openJobs(server.url, { backoff: 1 });
    const job = (kind: "draw" | "train", digit: string) =>
      ({ id: `pictures-${digit.repeat(20)}`, kind, queue: `${kind}-${key}`, priority: 0, data: {} }) as const;
    await jobs.ensure([job("draw", "1"), job("draw", "2"), job("train", "3")]);
    const working = jobs.work([`train-${key}`], async () => {
      throw new Error("no memory");
    });
    while ((await jobs.counts()).get(`train-${key}`)?.failed !== 1) await new Promise((done) => setTimeout(done, 50));
    await working.close();
    await jobs.close();
  });
  afterAll(() => server.end());

  const json = async (...words: string[]) =>
    JSON.parse((await tiller(["queue", ...words, "--queue", server.url, "--json"])).stdout);

  test("counts jobs for programs and people, and says why jobs failed", async () => {
    expect(await json("status")).toMatchObject({ waiting: 2, running: 0, done: 0, failed: 1 });
    const { stdout } = await tiller(["queue", "status", "--queue", server.url]);
    expect(stdout).toMatch(new RegExp(`draw-${key} +2 +0 +0 +0`));
    expect(stdout).toContain(`pictures-${"3".repeat(20)}: no memory`);
  });

  test("cancels and retries the jobs that are named, or all", async () => {
    const one = `pictures-${"1".repeat(20)}`;
    expect(await json("cancel", one)).toEqual({ jobs: [one] });
    expect((await json("retry", "--all")).jobs.sort()).toEqual([one, `pictures-${"3".repeat(20)}`]);
    expect(await json("status")).toMatchObject({ waiting: 3, failed: 0 });
  });
});

const errorOf = async (...words: string[]) => (await refused(words)).error;

test("a queue must be named, and what to do with which jobs", async () => {
  const queue = ["--queue", "redis://127.0.0.1:1"];
  expect(await errorOf("queue", "status")).toMatchObject({ code: "queue-needed", exitCode: 2 });
  expect(await errorOf("queue", "cancel", ...queue)).toMatchObject({ code: "option-missing" });
  const detached = await errorOf("bench", "run", "e.json", "--detach", "--workers", "2", ...queue);
  expect(detached).toMatchObject({ code: "option-invalid", message: expect.stringContaining("--workers") });
  expect(await errorOf("worker", ...queue)).toMatchObject({ code: "queue-needed" });
  const far = ["--queue", "redis://:secret@queue.example", "--store", "/tmp"];
  const { code, message } = await errorOf("worker", ...far);
  expect(code).toBe("connection-insecure");
  expect(message).toContain("--insecure-queue");
  expect(message).not.toContain("secret");
});

test("--shard says what took its place", async () => {
  const { code, message } = await errorOf("bench", "run", "e.json", "--shard", "1/4");
  expect(code).toBe("option-invalid");
  expect(message).toContain("tiller worker");
});
