/** Scores of single pictures, by the embedded model's encoders. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { openScorer } from "./index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const draw = (file: string) =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
    .png()
    .toFile(file);

test("references without a readable picture are refused, and retried later", async () => {
  const [picture, references] = [join(folder, "a.png"), join(folder, "references")];
  await draw(picture);
  await mkdir(references);
  const { score, close } = await openScorer({ device: "cpu" });
  try {
    await expect(score(picture, references, "a dog")).rejects.toThrow(refusal("pictures-missing", references));
    await draw(join(references, "b.png"));
    // The same picture: the cosine is 1 up to float32 rounding.
    expect((await score(picture, references, "a dog")).dino).toBeCloseTo(1, 5);
  } finally {
    await close();
  }
});

test("a device that does not work here is named", async () => {
  const foreign = process.platform === "darwin" ? "dml" : "coreml";
  await expect(openScorer({ device: foreign })).rejects.toThrow(refusal("device-unavailable", foreign));
});

test("a failed start leaves no thread behind", async () => {
  const workers: Worker[] = [];
  const see = (worker: Worker) => workers.push(worker);
  process.on("worker", see);
  try {
    await expect(openScorer({ clip: folder, device: "cpu" })).rejects.toThrow(
      refusal("file-missing", join(folder, "config.json")),
    );
  } finally {
    process.off("worker", see);
  }
  // A thread that has exited has id -1.
  expect(workers.map(({ threadId }) => threadId)).toEqual([-1]);
});
