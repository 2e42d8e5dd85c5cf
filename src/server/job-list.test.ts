/** Jobs that fail, and jobs left by an earlier server. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { TillerError } from "../index.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { deliverHere } from "./deliver-here.ts";
import { jobDone } from "./job-done.ts";
import { type JobList, openJobList } from "./job-list.ts";
import { type Job, picturesSchema } from "./jobs.ts";
import { modelsOf } from "./models.ts";
import type { RunJob } from "./run-job.ts";

let folder: string;
let data: DataFolder;
/** The server's own output. */
let output: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  data = await openDataFolder(folder);
  output = [];
  vi.spyOn(process, "emitWarning").mockImplementation((warning) => void output.push(String(warning)));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const request = picturesSchema.parse({ request: { prompt: "a cat" } });

const servicesWith = (jobs: JobList) => ({
  data,
  models: modelsOf([]),
  jobs,
  scoring: { scores: async () => [], close: async () => {} },
  mostWork: 1,
  precisions: async () => [],
});

/** A job run by `run`, and the answer to a client that waits for it. */
async function ended(run: RunJob): Promise<{ job: Job; told: unknown }> {
  const jobs = await openJobList(data, await deliverHere(run), { bound: 5 });
  jobs.begin();
  const { signal } = new AbortController();
  const told = await jobDone(request, servicesWith(jobs), "openai", signal).catch((error: unknown) => error);
  const [job] = jobs.list();
  await jobs.close();
  return { job: job!, told };
}

/** As an earlier server left it. */
async function left(job: Partial<Job>): Promise<Job> {
  const whole = { id: "a", state: "running", request, created: 0, pictures: [], warnings: [], starts: 1, ...job };
  await writeFile(data.job("a"), JSON.stringify(whole));
  const jobs = await openJobList(data, await deliverHere(async () => ({})), { bound: 5 });
  return jobs.get("a")!;
}

test("a failure keeps its code and loses the folders in its message", async () => {
  const file = join(folder, "pictures", "a.png");
  const { job, told } = await ended(() =>
    Promise.reject(new TillerError("picture-unreadable", `${file} is damaged.`, { paths: [file] })),
  );
  expect(job).toMatchObject({ state: "failed", code: "picture-unreadable", error: "a.png is damaged." });
  expect(told).toEqual(refusal("picture-unreadable", "a.png"));
  expect(await readFile(data.job(job.id), "utf8")).not.toContain(folder);
});

test("a defect's message goes to the server's own output, not to the job or the waiting client", async () => {
  const { job, told } = await ended(() => Promise.reject(new Error(`${folder} is none of your business`)));
  expect(job).toMatchObject({ state: "failed", defect: true });
  expect(job.code).toBeUndefined();
  expect(job.error).not.toContain("business");
  expect(told).not.toBeInstanceOf(TillerError);
  expect(String(told)).not.toContain("business");
  expect(output.join()).toContain(`${folder} is none of your business`);
});

test("a job that crashed the server three times is not started again", async () => {
  expect(await left({ starts: 3 })).toEqual(expect.objectContaining({ state: "failed", code: "job-failed" }));
  expect(await left({ starts: 2 })).toMatchObject({ state: "queued" });
});

test("with an unknown code or none, a client gets job-failed", async () => {
  for (const code of ["of-another-version", undefined]) {
    const job = { state: "failed", code, error: "it did not go well." };
    const jobs = { add: async () => ({ id: "a" }), finished: async () => job, cancel: async () => {} };
    const { signal } = new AbortController();
    const waiting = jobDone(request, servicesWith(jobs as unknown as JobList), "openai", signal);
    await expect(waiting).rejects.toThrow(refusal("job-failed", "it did not go well"));
  }
});
