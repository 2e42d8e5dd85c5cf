/** Who gets a lock if several find it free or its holder dead. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { hold } from "./lock.ts";

/** A hook just before a file is created, and how often a lock was touched. */
const disk = vi.hoisted(() => ({ before: (_: string) => {}, touched: [] as Promise<void>[] }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    open: (file: string, flags: string) => {
      disk.before(file);
      return real.open(file, flags);
    },
    utimes: (...given: Parameters<typeof real.utimes>) => {
      disk.touched.push(real.utimes(...given));
      return disk.touched.at(-1)!;
    },
  };
});

let folder: string;
let lock: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  lock = join(folder, "lock");
  disk.before = () => {};
});
afterEach(() => rm(folder, { recursive: true }));

const elsewhere = JSON.stringify({ pid: 1, host: "another", started: 1 });
/** Another living process. */
const living = JSON.stringify({ pid: process.ppid, host: hostname(), started: 1 });
const dead = () => JSON.stringify({ pid: spawnSync(process.execPath, ["-e", ""]).pid, host: hostname(), started: 1 });

test("a released lock is free", async () => {
  const release = await hold(lock);
  expect(await readdir(folder)).toEqual(["lock"]);
  expect(await hold(lock)).toBeUndefined();
  await release!();
  expect(await readdir(folder)).toEqual([]);
});

test("releasing leaves a lock that another process has taken meanwhile", async () => {
  const release = await hold(lock);
  await writeFile(lock, elsewhere);
  await release!();
  expect(readFileSync(lock, "utf8")).toBe(elsewhere);
});

test("a lock from an earlier process with this process's id is taken over", async () => {
  await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname(), started: performance.timeOrigin - 1 }));
  const release = await hold(lock);
  expect(release).toBeDefined();
  await release!();
});

test("a dead holder's lock is removed, and its successor holds its own", async () => {
  writeFileSync(lock, dead());
  const release = await hold(lock);
  expect(await readdir(folder)).toEqual(["lock"]);
  expect(JSON.parse(readFileSync(lock, "utf8"))).toMatchObject({ pid: process.pid });
  await release!();
  expect(await readdir(folder)).toEqual([]);
});

test("a lock that another process took over between the check and the takeover is left to it", async () => {
  writeFileSync(lock, dead());
  disk.before = (file) => {
    if (file === `${lock}.inheritance`) writeFileSync(lock, living);
  };
  expect(await hold(lock)).toBeUndefined();
  expect(readFileSync(lock, "utf8")).toBe(living);
  expect(await readdir(folder)).toEqual(["lock"]);
});

test("a dead holder's lock that is removed meanwhile can be taken", async () => {
  writeFileSync(lock, dead());
  disk.before = (file) => {
    if (file === `${lock}.inheritance`) rmSync(lock);
  };
  const release = await hold(lock);
  expect(release).toBeDefined();
  await release!();
});

test("a lock that another process takes once the dead holder's is gone is left to it", async () => {
  writeFileSync(lock, dead());
  let made = 0;
  disk.before = (file) => {
    // Creation is tried twice: at first, and after the dead holder's lock was removed.
    if (file === lock && ++made === 2) writeFileSync(lock, living);
  };
  expect(await hold(lock)).toBeUndefined();
  expect(readFileSync(lock, "utf8")).toBe(living);
  expect(await readdir(folder)).toEqual(["lock"]);
});

test("a process that is about to take over has precedence, unless it died doing so", async () => {
  writeFileSync(lock, dead());
  writeFileSync(`${lock}.inheritance`, living);
  expect(await hold(lock)).toBeUndefined();
  expect(existsSync(`${lock}.inheritance`)).toBe(true);
  writeFileSync(`${lock}.inheritance`, dead());
  // This attempt removes what the dead successor left; the next one takes the lock.
  expect(await hold(lock)).toBeUndefined();
  const release = await hold(lock);
  expect(release).toBeDefined();
  await release!();
});

test("a lock whose holder's name is just being written belongs to that holder for a minute", async () => {
  writeFileSync(lock, "");
  expect(await hold(lock)).toBeUndefined();
  const before = new Date(Date.now() - 61_000);
  await utimes(lock, before, before);
  const release = await hold(lock);
  expect(release).toBeDefined();
  await release!();
});

test("a holder touches its lock every five seconds until it releases it", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const release = await hold(lock);
    const old = new Date(Date.now() - 30_000);
    await utimes(lock, old, old);
    disk.touched = [];
    vi.advanceTimersByTime(4999);
    expect(disk.touched).toHaveLength(0);
    vi.advanceTimersByTime(1);
    await Promise.all(disk.touched);
    expect((await stat(lock)).mtimeMs).toBeGreaterThan(old.getTime() + 29_000);
    vi.advanceTimersByTime(5000);
    expect(disk.touched).toHaveLength(2);
    await release!();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
