import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { doOnce, keyOf, readDone } from "./store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("a unit of work", () => {
  test("is done once, and its record can be read", async () => {
    let times = 0;
    const work = async () => ({ times: ++times });
    expect(await doOnce(folder, work)).toBe("done");
    expect(await doOnce(folder, work)).toBe("done");
    expect(await readDone(folder)).toEqual({ times: 1 });
    expect(await readdir(folder)).toEqual(["done.json"]);
  });

  test("with a damaged record is named in the error", async () => {
    await writeFile(join(folder, "done.json"), "{");
    await expect(readDone(folder)).rejects.toThrow(refusal("json-invalid", join(folder, "done.json")));
  });

  test("is left to the process that holds it", async () => {
    // Another live process.
    await writeFile(join(folder, "lock"), JSON.stringify({ pid: process.ppid, host: hostname() }));
    expect(await doOnce(folder, async () => ({}))).toBe("held");
    expect(await readDone(folder)).toBeUndefined();
  });

  test("is taken over if another process has reused the holder's pid", async () => {
    const lock = join(folder, "lock");
    await writeFile(lock, JSON.stringify({ pid: process.ppid, host: hostname() }));
    const before = new Date(Date.now() - 601_000);
    await utimes(lock, before, before);
    expect(await doOnce(folder, async () => ({}))).toBe("done");
  });

  test("is taken over from a process that has died", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    await writeFile(join(folder, "lock"), JSON.stringify({ pid, host: hostname() }));
    expect(await doOnce(folder, async () => ({ mine: true }))).toBe("done");
    expect(await readDone(folder)).toEqual({ mine: true });
  });

  test("is taken over from another machine after more than a minute of silence, not before", async () => {
    const lock = join(folder, "lock");
    await writeFile(lock, JSON.stringify({ pid: 1, host: "another" }));
    expect(await doOnce(folder, async () => ({}))).toBe("held");
    const before = new Date(Date.now() - 61_000);
    await utimes(lock, before, before);
    expect(await doOnce(folder, async () => ({}))).toBe("done");
  });

  test("can be retried after a failure", async () => {
    await expect(doOnce(folder, () => Promise.reject(new Error("no room")))).rejects.toThrow("no room");
    expect(await doOnce(folder, async () => ({}))).toBe("done");
  });

  test("is taken over by only one of several processes that find its holder dead", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    await writeFile(join(folder, "lock"), JSON.stringify({ pid, host: hostname() }));
    let times = 0;
    const work = async () => {
      times++;
      await new Promise((done) => setTimeout(done, 50));
    };
    await Promise.all(Array.from({ length: 8 }, () => doOnce(folder, work)));
    expect(times).toBe(1);
  });
});

test("a key is the same for equal contents and differs for others", () => {
  expect(keyOf({ omega: 0.6 })).toBe(keyOf({ omega: 0.6 }));
  expect(keyOf({ omega: 0.6 })).not.toBe(keyOf({ omega: 0.7 }));
});
