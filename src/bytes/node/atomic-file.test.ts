/** A file is written whole or not at all, even if power is lost meanwhile. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { writeWhole } from "../write-whole.ts";
import { writeAtomically } from "./atomic-file.ts";

/** File system calls in order; the step named here fails. */
const disk = vi.hoisted(() => ({ steps: [] as string[], fails: undefined as string | undefined }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const step = (name: string) => {
    disk.steps.push(name);
    if (disk.fails === name) throw Object.assign(new Error(`ENOSPC: ${name}`), { code: "ENOSPC" });
  };
  return {
    ...real,
    async open(...given: Parameters<typeof real.open>) {
      const handle = await real.open(...given);
      for (const name of ["write", "sync", "close"] as const) {
        const own = handle[name].bind(handle) as (...args: unknown[]) => Promise<unknown>;
        Object.assign(handle, {
          [name]: async (...args: unknown[]) => {
            // The handle is closed even if `close` fails.
            if (name === "close") await own(...args);
            step(name);
            return name === "close" ? undefined : own(...args);
          },
        });
      }
      return handle;
    },
    async rename(...given: Parameters<typeof real.rename>) {
      step("rename");
      return real.rename(...given);
    },
  };
});

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  file = join(folder, "file");
  Object.assign(disk, { steps: [], fails: undefined });
});
afterEach(() => rm(folder, { recursive: true }));

test("is on disk before it gets its name: written, synced, closed, renamed", async () => {
  await writeWhole(file, "all of it");
  expect(disk.steps).toEqual(["write", "sync", "close", "rename"]);
  expect(await readFile(file, "utf8")).toBe("all of it");
  expect(await readdir(folder)).toEqual([basename(file)]);
});

test.each(["write", "sync", "close", "rename"])(
  "keeps the old file, and leaves nothing else, if %s fails",
  async (name) => {
    await writeFile(file, "before");
    disk.fails = name;
    await expect(writeWhole(file, "after")).rejects.toThrow(refusal("file-not-written", file));
    expect(await readdir(folder)).toEqual([basename(file)]);
    expect(await readFile(file, "utf8")).toBe("before");
  },
);

test("passes on its writer's error, and keeps the old file", async () => {
  await writeFile(file, "before");
  const defect = new RangeError("a defect");
  await expect(writeAtomically(file, () => Promise.reject(defect))).rejects.toBe(defect);
  expect(await readdir(folder)).toEqual([basename(file)]);
});

test("a process that exits meanwhile removes the unfinished file, and leaves the old one", async () => {
  await writeFile(file, "before");
  const others = new Set(process.listeners("exit"));
  const writing = writeAtomically(file, async (put) => {
    await put(Buffer.from("half"));
    expect(await readdir(folder)).toHaveLength(2);
    for (const atExit of process.listeners("exit")) if (!others.has(atExit)) atExit.call(process, 130);
    expect(await readdir(folder)).toEqual([basename(file)]);
  });
  await expect(writing).rejects.toThrow(refusal("file-not-written", file));
  expect(await readFile(file, "utf8")).toBe("before");
  expect(new Set(process.listeners("exit"))).toEqual(others);
});
