/**
 * A worker that is cut off from the queue for longer than its lock, in a network namespace of its own. Needs root on Linux and
 * takes minutes: `npm run check:fleet`.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openJobs, openStore, reconcile } from "../src/jobs/index.ts";
import { long } from "./fleet/scale.ts";
import { postgresHere, redisHere, startPostgres, startRedis } from "./fleet/servers.ts";
import { attemptsIn, expectResults, planOf, worker } from "./fleet/work.ts";
import { skipped } from "./skipped.ts";

/** The namespace, the two ends of the cable between it and this machine, and their addresses. */
const [name, here, there] = ["tiller", "tillerhere", "tillerthere"].map((one) => `${one}${process.pid % 10_000}`);
const [ours, theirs] = ["10.231.7.1", "10.231.7.2"];
const ip = (...words: string[]) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });

/** Half as long again as the usual lock. */
const cut = 90_000;

const possible = (): boolean => {
  try {
    ip("netns", "list");
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
};
const without = !long || skipped(possible(), "no network namespaces can be made here, so a cut network is not tested.");

describe.skipIf(without)("a worker that is cut off for 90 seconds", () => {
  let folder: string;
  const workers: ChildProcess[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-fleet-"));
    ip("netns", "add", name!);
    ip("link", "add", here!, "type", "veth", "peer", "name", there!, "netns", name!);
    ip("addr", "add", `${ours}/24`, "dev", here!);
    ip("link", "set", here!, "up");
    for (const words of [
      ["addr", "add", `${theirs}/24`, "dev", there!],
      ["link", "set", there!, "up"],
      ["link", "set", "lo", "up"],
    ])
      ip("-n", name!, ...words);
  });
  afterEach(async () => {
    for (const child of workers.splice(0)) child.kill("SIGKILL");
    ip("netns", "del", name!);
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    ["Redis", redisHere, startRedis],
    ["PostgreSQL", postgresHere, startPostgres],
  ] as const)("goes on with %s when the network is healed, and nothing is lost or done twice", async (_, is, start) => {
    if (skipped(is(), "the server is not installed.")) return;
    const server = await start(ours);
    const [place, log] = [join(folder, "store"), join(folder, "log")];
    const jobs = await openJobs(server.url, { insecure: true });
    const words = [worker, server.url, place, log, JSON.stringify({ insecure: true })];
    const options: SpawnOptions = { stdio: ["ignore", "ignore", "inherit"] };
    const [near, far] = [
      spawn(process.execPath, words, options),
      spawn("ip", ["netns", "exec", name!, process.execPath, ...words], options),
    ];
    workers.push(near, far);
    const by = (one: ChildProcess) => attemptsIn(log).filter(({ pid }) => pid === one.pid).length;
    const store = await openStore(place);
    const plan = planOf(store, folder, 240, 1000);
    const whole = reconcile(jobs, plan);
    await expect.poll(() => Math.min(by(near), by(far)), { interval: 100 }).toBeGreaterThan(2);
    ip("link", "set", here!, "down");
    await new Promise((over) => setTimeout(over, cut));
    ip("link", "set", here!, "up");
    const before = by(far);
    expect((await whole).missing).toEqual(new Map());
    await expectResults(plan, store, join(folder, "fetched"));
    // Every job was begun once, and by the cut-off worker, too, since.
    const ids = attemptsIn(log).map(({ id }) => id);
    expect(ids).toHaveLength(plan.length);
    expect(new Set(ids).size).toBe(plan.length);
    expect(by(far)).toBeGreaterThan(before);
    for (const one of [near, far]) {
      one.kill("SIGTERM");
      expect(await once(one, "exit")).toEqual([0, null]);
    }
    await jobs.close();
    await server.end();
  });
});
