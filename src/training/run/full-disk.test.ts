/** A run on a full disk says which file could not be written. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { makeClassPictures } from "../data/class-pictures.ts";
import { openLossLog } from "./loss-log.ts";

// Files can be written, but not appended to.
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  appendFile: async () => {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  },
}));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-full-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a log on a full disk is named", async () => {
  const file = join(folder, "log.jsonl");
  const log = await openLossLog(file, 0);
  await expect(log.add({ step: 1, loss: 1, learningRate: 1, gradientNorm: 1, seconds: 1 })).rejects.toThrow(
    refusal("file-not-written", file),
  );
});

test("class images are refused before the model is opened if a file is in their folder's place", async () => {
  const file = join(folder, "class");
  await writeFile(file, "a file, not a folder");
  const options = { prompt: "a cat", count: 1, resolution: undefined, seed: 0, load: {} };
  for (const place of [file, join(file, "below")]) {
    const made = makeClassPictures("nowhere", { ...options, folder: place });
    await expect(made.next()).rejects.toThrow(refusal("file-not-written", place));
  }
});
