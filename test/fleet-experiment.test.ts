/** An experiment done by workers, one of which stops half-way, gives what one process alone gives. Needs a build. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisHere, type Server, startRedis } from "./fleet/servers.ts";
import { skipped } from "./skipped.ts";

const tiller = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const without = skipped(redisHere(), "redis-server is not installed, so an experiment on a queue is not tested.");

const experiment = {
  name: "fleet",
  personalisation: [{ method: "dreambooth", steps: 2, priorCount: 1 }],
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
  const work = () => {
    const worker = spawn(process.execPath, [tiller, "worker", ...fleet(), "--threads", "1"], { stdio: "ignore" });
    workers.push(worker);
    return worker;
  };

  test("is done by --workers of this machine alone, which end with it", async () => {
    const out = join(folder, "own");
    const own = { ...experiment, name: "own", concepts: ["black_cat"] };
    await writeFile(join(folder, "own.json"), JSON.stringify(own));
    const { stdout } = await call("bench", "run", join(folder, "own.json"), "--out", out, ...fleet(), "--workers", "2");
    expect(JSON.parse(stdout).results.units).toEqual({ done: 5, total: 5 });
    // With no worker of its own it would wait for one.
    const { stdout: processes } = await promisify(execFile)("ps", ["-eo", "args"]);
    expect(processes).not.toContain(fileURLToPath(new URL("../dist/experiments/forked-fleet.js", import.meta.url)));
  });

  test("gives the same adapters, pictures and scores, though a worker stops half-way", async () => {
    const [alone, shared] = [join(folder, "alone"), join(folder, "shared")];
    await call("bench", "run", join(folder, "e.json"), "--out", alone);
    const first = work();
    const run = call("bench", "run", join(folder, "e.json"), "--out", shared, ...fleet());
    // It has drawn the class image: another worker trains.
    await expect.poll(() => readdir(join(folder, "store", "class")).catch(() => []), { interval: 50 }).toHaveLength(1);
    first.kill("SIGTERM");
    await once(first, "exit");
    work();
    await run;
    const files = (await readdir(alone, { recursive: true })).filter((name) => /\.(png|safetensors)$/.test(name));
    const made = files.filter((name) => /^(pictures|adapters)/.test(name) && !name.includes(".run"));
    expect(made).toHaveLength(5);
    for (const name of made) expect(await readFile(join(shared, name))).toEqual(await readFile(join(alone, name)));
    const results = async (out: string) => JSON.parse(await readFile(join(out, "results.json"), "utf8"));
    const [ours, theirs] = [await results(shared), await results(alone)];
    const scores = (arms: { name: string; prompts: unknown }[]) => arms.map(({ name, prompts }) => [name, prompts]);
    expect(scores(ours.arms)).toEqual(scores(theirs.arms));
    expect(ours.units).toEqual({ done: 5, total: 5 });
    const { stdout } = await call("queue", "status", "--queue", server.url);
    expect(JSON.parse(stdout)).toMatchObject({ waiting: 0, running: 0, failed: 0 });
    // What is done is not done again: nobody works now, and it ends.
    for (const worker of workers) worker.kill("SIGKILL");
    await call("bench", "run", join(folder, "e.json"), "--out", join(folder, "again"), ...fleet());
  });
});
