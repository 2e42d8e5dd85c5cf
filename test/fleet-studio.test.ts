/** Studio with workers on a real Redis. Needs a build. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Studio, startStudio } from "../src/server/index.ts";
import { isOver, type Job } from "../src/server/jobs.ts";
import { fixture } from "./fixtures.ts";
import { long } from "./fleet/scale.ts";
import { redisHere, type Server, startRedis } from "./fleet/servers.ts";
import { skipped } from "./skipped.ts";

const model = fixture("pipelines/sd15");
const script = fileURLToPath(new URL("fleet/studio-worker.js", import.meta.url));
/** Locks of two seconds instead of a minute. */
const settings = { lock: 2000, renew: 400, backoff: 100, look: 100, idle: 100 };
const [listeners, each] = long ? [20, 10] : [5, 6];

describe.skipIf(skipped(redisHere(), "redis-server is not installed, so Studio's workers are not tested."))("", () => {
  let redis: Server;
  let folder: string;
  let studio: Studio;
  const workers = new Set<ChildProcess>();
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.end());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
    studio = await start();
  });
  afterEach(async () => {
    for (const child of workers) child.kill("SIGKILL");
    workers.clear();
    await studio.close();
    await rm(folder, { recursive: true });
  });

  const store = () => join(folder, "store");
  const start = () =>
    startStudio({
      ...{ data: join(folder, "data"), models: [model], port: 0, bound: 250 },
      fleet: { queue: redis.url, store: store() },
    });
  const work = (): ChildProcess => {
    const given = [script, redis.url, store(), model, JSON.stringify(settings)];
    const child = spawn(process.execPath, given, { stdio: ["ignore", "ignore", "inherit"] });
    workers.add(child);
    return child;
  };
  const ask = (path: string, init?: RequestInit) => fetch(new URL(path, studio.url), init);
  // biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary answers.
  const json = async (path: string): Promise<any> => (await ask(path)).json();
  const draw = async (seed: number): Promise<Job> => {
    const body = JSON.stringify({ request: { prompt: "a red cat", steps: 2, width: 64, height: 64, seed } });
    const answer = await ask("/api/jobs", { method: "POST", headers: { "content-type": "application/json" }, body });
    expect(answer.status).toBe(201);
    return answer.json() as Promise<Job>;
  };
  /** Reads a stream of events until `seen` returns true for one. */
  async function listen(path: string, seen: (job: Job) => boolean): Promise<void> {
    const stop = new AbortController();
    const { body } = await ask(path, { signal: stop.signal });
    let text = "";
    for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const events = text.split("\n\n");
      text = events.pop()!;
      for (const event of events) {
        const line = /^data: (\{.*)$/m.exec(event)?.[1];
        if (line && seen(JSON.parse(line))) return stop.abort();
      }
    }
    throw new Error(`the events of ${path} ended`);
  }

  test(`${listeners * each} jobs from ${listeners} listeners all end, though a worker is killed, and a page shows them`, async () => {
    const [doomed] = [work(), work()];
    /** What each listener heard last of each job. */
    const heard = Array.from({ length: listeners }, () => new Map<string, string>());
    let ended = 0;
    const all = heard.map(async (states, i) => {
      const listening = listen("/api/events", ({ id, state }) => {
        states.set(id, state);
        const over = [...states.values()].filter((one) => isOver({ state: one as Job["state"] })).length;
        if (i === 0) ended = over;
        return over === listeners * each;
      });
      for (let j = 0; j < each; j++) await draw(i * each + j);
      await listening;
    });
    const running = async () => ((await json("/api/jobs")) as Job[]).filter(({ state }) => state === "running").length;
    await expect.poll(() => ended, { interval: 20 }).toBeGreaterThan((listeners * each) / 5);
    await expect.poll(running, { interval: 5 }).toBe(2);
    const over = once(doomed!, "exit");
    doomed!.kill("SIGKILL");
    await over;
    await Promise.all(all);
    for (const states of heard) expect(new Set(states.values())).toEqual(new Set(["done"]));

    // A page that is opened now asks for all jobs and for the events of some.
    const jobs = (await json("/api/jobs")) as Job[];
    expect(jobs).toHaveLength(listeners * each);
    for (const { id, state, pictures } of jobs) expect([state, pictures]).toEqual(["done", [`${id}-0`]]);
    await listen(`/api/jobs/${jobs[0]!.id}/events`, ({ state }) => state === "done");
    expect((await json("/api/pictures")).total).toBe(listeners * each);
    const seeds = new Set<number>();
    for (const { pictures } of jobs) seeds.add((await json(`/api/pictures/${pictures[0]}`)).recipe.request.seed);
    expect(seeds.size).toBe(listeners * each);
    const metrics = await (await ask("/metrics")).text();
    expect(metrics).toContain(`tiller_jobs{state="done"} ${listeners * each}\n`);
    expect(metrics).toContain(`tiller_pictures ${listeners * each}\n`);
    // What jobs needed is gone from the store.
    const left = async () => (await readdir(store(), { recursive: true })).filter((name) => /^\w+\/\w+$/.test(name));
    await expect.poll(left).toEqual([]);
  });

  test("workers go on while the server is away, and it shows the truth when it is back", async () => {
    const ids: string[] = [];
    for (let seed = 0; seed < 6; seed++) ids.push((await draw(seed)).id);
    const child = work();
    await expect.poll(async () => (await json(`/api/jobs/${ids[0]}`)).state, { interval: 20 }).toBe("done");
    await studio.close();
    const publishedBy = async () =>
      (await readdir(join(store(), "studio"))).filter((name) => /^\w+$/.test(name)).length;
    await expect.poll(publishedBy).toBeGreaterThan(2);
    studio = await start();
    for (const id of ids) await listen(`/api/jobs/${id}/events`, ({ state }) => state === "done");
    for (const id of ids) expect((await ask(`/pictures/${id}-0.png`)).status).toBe(200);
    const over = once(child, "exit");
    child.kill("SIGTERM");
    expect(await over).toEqual([0, null]);
  });

  test("a running job is cancelled within a step", async () => {
    work();
    const body = JSON.stringify({ request: { prompt: "a red cat", steps: 900, width: 64, height: 64, count: 60 } });
    const made = await ask("/api/jobs", { method: "POST", headers: { "content-type": "application/json" }, body });
    const { id } = (await made.json()) as Job;
    await listen(`/api/jobs/${id}/events`, ({ progress }) => (progress?.done ?? 0) > 0);
    const stopped = await ask(`/api/jobs/${id}/stop`, { method: "POST" });
    expect(await stopped.json()).toMatchObject({ id, state: "cancelled" });
    // The worker is free for the next one.
    const next = await draw(1);
    await listen(`/api/jobs/${next.id}/events`, ({ state }) => state === "done");
  });
});
