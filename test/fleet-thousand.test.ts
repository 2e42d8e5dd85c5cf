/**
 * A thousand units of an experiment in the embedded world by four workers, on both kinds of servers. The units are as small as
 * they can be: adapters of one step, and single pictures of one step. Needs a build, and takes long: `npm run check:fleet`.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openJobs } from "../src/jobs/index.ts";
import { long } from "./fleet/scale.ts";
import { postgresHere, redisHere, startPostgres, startRedis } from "./fleet/servers.ts";
import { draw, queues } from "./fleet/work.ts";
import { skipped } from "./skipped.ts";

const tiller = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const concepts = ["red_teapot", "black_cat"];
const experiment = {
  ...{ name: "thousand", personalisation: [{ method: "dreambooth", steps: 1, priorCount: 1 }], concepts },
  guidance: [
    { method: "cfg", scale: Array.from({ length: 25 }, (_, i) => 1 + i / 10) },
    { method: "pg", omega: Array.from({ length: 25 }, (_, i) => i / 25) },
  ],
  ...{ prompts: 10, pictures: 1, steps: 1 },
};
/** Adapters and pictures. */
const units = concepts.length * (1 + 50 * 10);
/** Class images as well: two concepts of different classes. */
const jobsInAll = units + concepts.length;

/** Seconds of processor time of ended processes that this one started. */
async function spent(): Promise<number> {
  const fields = (await readFile("/proc/self/stat", "utf8")).split(") ")[1]!.split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

const engines = [
  ["Redis", redisHere, startRedis],
  ["PostgreSQL", postgresHere, startPostgres],
] as const;

describe.skipIf(!long)("a thousand empty jobs", () => {
  test.each(engines)("with %s are each done once", async (name, is, start) => {
    if (skipped(is(), `${name} is not installed.`)) return;
    const server = await start();
    const jobs = await openJobs(server.url);
    const all = Array.from({ length: 1000 }, (_, i) => draw(`empty ${i}`, 0));
    const done: string[] = [];
    const before = process.cpuUsage();
    await jobs.ensure(all);
    jobs.work(queues, async ({ id }) => {
      done.push(id);
      return {};
    });
    await expect.poll(() => done.length, { interval: 200 }).toBe(all.length);
    const { user, system } = process.cpuUsage(before);
    await jobs.close();
    await server.end();
    expect(new Set(done).size).toBe(all.length);
    console.log(
      `${name}: ${((user + system) / 1e3 / all.length).toFixed(2)} ms of processor an empty job, without the server`,
    );
  });
});

describe.skipIf(!long)("a thousand units", () => {
  let folder: string;
  let alone: { readonly seconds: number; readonly processor: number };
  const call = async (...words: string[]) => {
    const env = { ...process.env, TILLER_QUEUE: "", TILLER_STORE: "" };
    const options = { env, maxBuffer: 1 << 28 };
    const all = [tiller, ...words, "--threads", "1", "--json"];
    return JSON.parse((await promisify(execFile)(process.execPath, all, options)).stdout);
  };
  const run = (out: string, ...words: string[]) =>
    call("bench", "run", join(folder, "e.json"), "--out", join(folder, out), ...words);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-fleet-"));
    await writeFile(join(folder, "e.json"), JSON.stringify(experiment));
    const [began, before] = [performance.now(), await spent()];
    expect((await run("alone")).results.units).toEqual({ done: units, total: units });
    alone = { seconds: (performance.now() - began) / 1000, processor: (await spent()) - before };
    console.log(`alone: ${alone.seconds.toFixed(0)} s, ${alone.processor.toFixed(0)} s of processor`);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(engines)("by four workers with %s are the same, and no message is lost", async (name, is, start) => {
    if (skipped(is(), `${name} is not installed.`)) return;
    const server = await start();
    const fleet = ["--queue", server.url, "--store", join(folder, `${name}-store`)];
    const [began, before] = [performance.now(), await spent()];
    // Nobody looks after the jobs while they are done, so a lost one would stay lost.
    await run(name, ...fleet, "--detach");
    const workers = Array.from({ length: 4 }, (): ChildProcess => {
      const words = [tiller, "worker", ...fleet, "--threads", "1"];
      return spawn(process.execPath, words, { stdio: "ignore" });
    });
    const jobs = await openJobs(server.url);
    const sums = async () => {
      const all = [...(await jobs.counts()).values()];
      const sum = (state: "waiting" | "running" | "done" | "failed") => all.reduce((so, one) => so + one[state], 0);
      return { left: sum("waiting") + sum("running"), done: sum("done"), failed: sum("failed") };
    };
    await expect.poll(async () => (await sums()).left, { interval: 1000, timeout: 7_200_000 }).toBe(0);
    const seconds = (performance.now() - began) / 1000;
    expect(await sums()).toEqual({ left: 0, done: jobsInAll, failed: 0 });
    await jobs.close();
    for (const one of workers) {
      one.kill("SIGTERM");
      if (one.exitCode === null) await once(one, "exit");
    }
    const processor = (await spent()) - before;
    expect((await run(name, ...fleet)).results.units).toEqual({ done: units, total: units });
    await server.end();

    const files = (await readdir(join(folder, "alone"), { recursive: true })).filter(
      (file) => /^(pictures|adapters).*\.(png|safetensors)$/.test(file) && !file.includes(".run"),
    );
    expect(files).toHaveLength(units);
    for (const file of files)
      expect((await readFile(join(folder, name, file))).equals(await readFile(join(folder, "alone", file)))).toBe(true);
    const overhead = ((processor - alone.processor) / jobsInAll) * 1000;
    console.log(
      `${name}: ${seconds.toFixed(0)} s, ${processor.toFixed(0)} s of processor in all, ${overhead.toFixed(0)} ms a job more than alone`,
    );
  });
});
