import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { refusal } from "../../test/refusal.ts";
import { finish, isFinished, keyOf, readDone } from "./store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a unit's record can be read once it is done, and an unfinished one's files stay", async () => {
  await expect(
    finish(folder, async () => {
      await writeFile(join(folder, "half"), "half");
      throw new Error("no room");
    }),
  ).rejects.toThrow("no room");
  expect(await isFinished(folder)).toBe(false);
  expect(await readdir(folder)).toEqual(["half"]);
  await finish(folder, async () => ({ times: 1 }));
  expect(await readDone(folder, z.unknown())).toEqual({ times: 1 });
});

test("a damaged record is named in the error", async () => {
  await writeFile(join(folder, "done.json"), "{");
  await expect(isFinished(folder)).rejects.toThrow(refusal("json-invalid", join(folder, "done.json")));
});

test("a key is the same for equal contents and differs for others", () => {
  expect(keyOf({ omega: 0.6 })).toBe(keyOf({ omega: 0.6 }));
  expect(keyOf({ omega: 0.6 })).not.toBe(keyOf({ omega: 0.7 }));
});
