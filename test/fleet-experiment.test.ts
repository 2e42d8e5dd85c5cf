/** An experiment done by workers, one of which stops half-way, gives what one process alone gives. Needs a build. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openJobs } from "../src/jobs/index.ts";
import { redisHere, type Server, startRedis } from "./fleet/servers.ts";
import { skipped } from "./skipped.ts";

const tiller = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const without = skipped(redisHere(), "redis-server is not installed, so an experiment on a queue is not tested.");

const experiment = {
  name: "fleet",
  personalisation: [{ method: "dreambooth", steps: 5, priorCount: 1 }],
  guidance: [{ method: "cfg" }, { method: "pg", omega: 0.6 }],
  concepts: ["red_teapot"],
  prompts: ["snow", "jungle"],
  pictures: 1,
  steps: 1,
};

describe.skipIf(without)("an experiment on a queue", () => {
  let folder: string;
  let server: Server;
  const workers: ChildProcess[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-fleet-"));
    server = await startRedis();
    await writeFile(join(folder, "e.json"), JSON.stringify(experiment));
  });
  afterAll(async () => {
    for (const worker of workers) worker.kill("SIGKILL");
    await server.end();
    await rm(folder, { recursive: true, force: true });
  });
  const call = (...words: string[]) =>
    promisify(execFile)(process.execPath, [tiller, ...words, "--threads", "1", "--json"], {
      env: { ...process.env, TILLER_QUEUE: "", TILLER_STORE: "" },
    });
  const fleet = () => ["--queue", server.url, "--store", join(folder, "store")];
  let said = "";
  const work = (...words: string[]) => {
    const all = [tiller, "worker", ...fleet(), "--threads", "1", ...words];
    const worker = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "ignore"] });
    worker.stdout.on("data", (piece) => (said += piece));
    workers.push(worker);
    return worker;
  };

  test("is done by --workers of this machine alone, which end with it", async () => {
    const out = join(folder, "own");
    const personalisation = [{ method: "dreambooth", steps: 1, priorCount: 1 }];
    const own = { ...experiment, name: "own", concepts: ["black_cat"], personalisation };
    await writeFile(join(folder, "own.json"), JSON.stringify(own));
    const { stdout } = await call("bench", "run", join(folder, "own.json"), "--out", out, ...fleet(), "--workers", "2");
    expect(JSON.parse(stdout).results.units).toEqual({ done: 5, total: 5 });
    // With no worker of its own it would wait for one.
    const { stdout: processes } = await promisify(execFile)("ps", ["-eo", "args"]);
    expect(processes).not.toContain(fileURLToPath(new URL("../dist/experiments/forked-fleet.js", import.meta.url)));
  });

  test("that is left to workers, one of which stops while it trains, gives what one process alone gives", async () => {
    const [alone, shared] = [join(folder, "alone"), join(folder, "shared")];
    const run = async (out: string, ...words: string[]) =>
      JSON.parse((await call("bench", "run", join(folder, "e.json"), "--out", out, ...words)).stdout).results;
    const whole = await run(alone);
    // Nobody works yet: it ends as soon as the work is in the queue.
    expect((await run(shared, ...fleet(), "--detach")).units).toEqual({ done: 0, total: 5 });
    const { stdout } = await call("queue", "status", "--queue", server.url);
    expect(JSON.parse(stdout)).toMatchObject({ waiting: 1, running: 0, failed: 0 });

    const jobs = await openJobs(server.url);
    const left = async () => {
      const all = [...(await jobs.counts()).values()];
      return all.reduce((sum, { waiting, running }) => sum + waiting + running, 0);
    };
    expect(await left()).toBe(1);
    const steps: number[] = [];
    jobs.events(({ progress }) => progress?.what.startsWith("learning") && steps.push(progress.done));
    const first = work();
    await expect.poll(() => steps.length, { interval: 20 }).toBeGreaterThan(0);
    first.kill("SIGTERM");
    expect(await once(first, "exit")).toEqual([0, null]);
    const states = join(folder, "store", "checkpoint");
    const [state] = await readdir(states);
    expect(await readdir(join(states, state!, "adapter.run"))).toContain("checkpoint.safetensors");
    const second = work("--metrics", "0");
    await expect.poll(() => said, { interval: 50 }).toMatch(/metrics: \S+\n/);
    const [, metrics] = /metrics: (\S+)/.exec(said)!;
    // Queues are counted one after the other, so what a job adds to one as it ends in another may be in neither count.
    await expect.poll(async () => (await left()) + (await left()), { interval: 100 }).toBe(0);
    // The second worker did not begin anew.
    expect(steps.filter((step) => step === 1)).toHaveLength(1);
    expect(await readdir(states)).toEqual([]);
    const counted = await (await fetch(metrics!)).text();
    expect(counted).toContain('tiller_worker_jobs_total{kind="train",outcome="done"} 1\n');
    expect(counted).toContain('tiller_worker_jobs_total{kind="draw",outcome="done"} 4\n');
    expect(counted).toContain('tiller_worker_pictures_total{kind="draw"} 4\n');
    second.kill("SIGKILL");
    await jobs.close();

    // Nobody works now: it only collects.
    const collected = await run(shared, ...fleet());
    expect(collected.units).toEqual({ done: 5, total: 5 });
    const files = (await readdir(alone, { recursive: true })).filter((name) => /\.(png|safetensors)$/.test(name));
    const made = files.filter((name) => /^(pictures|adapters)/.test(name) && !name.includes(".run"));
    expect(made).toHaveLength(5);
    for (const name of made) expect(await readFile(join(shared, name))).toEqual(await readFile(join(alone, name)));
    const scores = (arms: { name: string; prompts: unknown }[]) => arms.map(({ name, prompts }) => [name, prompts]);
    expect(scores(collected.arms)).toEqual(scores(whole.arms));
  });
});
