/** A unit that another process finishes between the check and the lock. */
import { writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { doOnce, readDone } from "./store.ts";

vi.mock("../bytes/node/lock.ts", async (original) => {
  const { hold } = await original<typeof import("../bytes/node/lock.ts")>();
  return {
    hold: (lock: string) => {
      writeFileSync(join(dirname(lock), "done.json"), '{"by":"another"}');
      return hold(lock);
    },
  };
});

test("is not done again, and its lock is released", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const work = vi.fn();
  expect(await doOnce(folder, work)).toBe("done");
  expect(work).not.toHaveBeenCalled();
  expect(await readDone(folder)).toEqual({ by: "another" });
  expect(await readdir(folder)).toEqual(["done.json"]);
  await rm(folder, { recursive: true });
});
