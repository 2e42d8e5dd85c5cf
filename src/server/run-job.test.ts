/** What becomes of the pipeline when a job ends badly; the pipeline is one that fails when asked for pictures. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { usualDefaults } from "../families/stable-diffusion/defaults.ts";
import { type Pipeline, TillerError } from "../index.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { type Job, picturesSchema } from "./jobs.ts";
import { modelsOf } from "./models.ts";
import { runJobIn } from "./run-job.ts";

let folder: string;
let data: DataFolder;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  data = await openDataFolder(folder);
});
afterAll(() => rm(folder, { recursive: true }));

/** How often the pipeline was closed after a job that failed so. */
async function closings(failure: Error, signal = new AbortController().signal): Promise<number> {
  const pipeline: Pick<Pipeline, "generate" | "defaults"> = {
    defaults: { ...usualDefaults, width: 128, height: 128, sideMultiple: 8 },
    // biome-ignore lint/correctness/useYield: it fails before there is anything to tell.
    async *generate() {
      throw failure;
    },
  };
  const close = vi.fn(async () => {});
  const pipelines = { get: async () => pipeline as Pipeline, close };
  const request = picturesSchema.parse({ request: { prompt: "a dog" } });
  const job: Job = { id: "a", state: "running", request, created: 0, pictures: [], warnings: [], starts: 1 };
  const run = runJobIn({ data, models: modelsOf([]), pipelines });
  await expect(run(job, () => {}, signal)).rejects.toBe(failure);
  return close.mock.calls.length;
}

test("a pipeline whose engine failed is closed, so that the next job has a new one", async () => {
  expect(await closings(new TillerError("network-failed", "the U-Net failed on cpu: out of memory."))).toBe(1);
  expect(await closings(new Error("a defect"))).toBe(1);
});

test("a pipeline stays after a wrong request, and after a job that was stopped", async () => {
  expect(await closings(new TillerError("size-invalid", "width 100 is not divisible by 8."))).toBe(0);
  expect(await closings(new Error("cancelled"), AbortSignal.abort())).toBe(0);
});
