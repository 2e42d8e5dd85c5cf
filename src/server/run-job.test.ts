/** Picture jobs and their pipeline, which does what each test needs. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
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

/** Runs a job with a pipeline that generates with `generate`. */
function run(generate: Pipeline["generate"], body: object = {}, { signal = new AbortController().signal } = {}) {
  const pipeline: Pick<Pipeline, "generate" | "defaults"> = {
    defaults: { ...usualDefaults, width: 128, height: 128, sideMultiple: 8 },
    generate,
  };
  const close = vi.fn(async () => {});
  const pipelines = { get: async () => pipeline as Pipeline, close };
  const request = picturesSchema.parse({ request: { prompt: "a dog" }, ...body });
  const job: Job = { id: "a", state: "running", request, created: 0, pictures: [], warnings: [], starts: 1 };
  const outcome = runJobIn({ data, models: modelsOf([]), pipelines, mostWork: 20 })(job, () => {}, signal);
  return { outcome, close };
}

/** How often the pipeline was closed after a job that failed with `failure`. */
async function closings(failure: Error, signal?: AbortSignal): Promise<number> {
  // biome-ignore lint/correctness/useYield: it fails before it yields.
  const failing = async function* () {
    throw failure;
  };
  const { outcome, close } = run(failing, {}, { ...(signal && { signal }) });
  await expect(outcome).rejects.toBe(failure);
  return close.mock.calls.length;
}

test("warnings name an adapter without its folders", async () => {
  const file = data.adapter("my cat");
  await writeFile(file, "");
  const generate = async function* () {
    yield { type: "warning", message: `the strength 0.5 of ${file} has no effect: it is an embedding` } as const;
  };
  const { outcome } = run(generate, { adapters: [{ name: "my cat", strength: 0.5 }] });
  expect((await outcome).warnings).toEqual([
    "the strength 0.5 of my cat.safetensors has no effect: it is an embedding",
  ]);
});

test.each([
  // The model's defaults, 128 x 128 in 50 steps, are 0.82 megapixel-steps.
  ["24 pictures", { request: { prompt: "", count: 24 } }, undefined],
  ["25 pictures", { request: { prompt: "", count: 25 } }, "work-too-large"],
  [
    "5 pictures in 5 variations",
    { request: { prompt: "", count: 5 }, variations: Array(5).fill({}) },
    "work-too-large",
  ],
  [
    "5 pictures in 5 variations with fewer steps",
    { request: { prompt: "", count: 5 }, variations: Array(5).fill({ steps: 40 }) },
    undefined,
  ],
])("the limit of 20 megapixel-steps applies to the model's size and steps: %s", async (_, body, code) => {
  const nothing = async function* () {};
  const { outcome } = run(nothing, body);
  if (code === undefined) expect(await outcome).toMatchObject({ pictures: [] });
  else await expect(outcome).rejects.toMatchObject({ code });
});

test("a pipeline whose engine failed is closed, so that the next job gets a new one", async () => {
  expect(await closings(new TillerError("network-failed", "the U-Net failed on cpu: out of memory."))).toBe(1);
  expect(await closings(new Error("a defect"))).toBe(1);
});

test("a pipeline is kept after a wrong request and after a cancelled job", async () => {
  expect(await closings(new TillerError("size-invalid", "width 100 is not divisible by 8."))).toBe(0);
  expect(await closings(new Error("cancelled"), AbortSignal.abort())).toBe(0);
});
