/** Studio whose jobs are done by workers, which get what they need from a store and put there what they make. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { allowedModels } from "../src/experiments/fleet.ts";
import { readPicture, readPixels } from "../src/index.ts";
import { type JobEvent, type JobSpec, openJobs, openStore, queuesOf, shareText } from "../src/jobs/index.ts";
import { type DataFolder, openDataFolder } from "../src/server/data-folder.ts";
import { deliverHere } from "../src/server/deliver-here.ts";
import { deliverToWorkers } from "../src/server/deliver-to-workers.ts";
import { openStudioWorker } from "../src/server/fleet.ts";
import { type JobList, openJobList } from "../src/server/job-list.ts";
import { type Job, type JobRequest, jobRequestSchema } from "../src/server/jobs.ts";
import { modelsOf } from "../src/server/models.ts";
import { keepPipelines } from "../src/server/pipelines.ts";
import { runJobIn } from "../src/server/run-job.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const model = fixture("pipelines/sd15");
const models = modelsOf([model]);
/** How tests compute. */
const compute = { device: "cpu", threads: 2 } as const;
const upload = "mif10zq0-0123456789";

let folder: string;
/** What is to be closed, the last first. */
let open: { close(): Promise<void> }[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  // Class images are kept there for later runs.
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  open = [];
});
afterEach(async () => {
  for (const one of open.reverse()) await one.close();
  await rm(folder, { recursive: true });
});
const opened = <T extends { close(): Promise<void> }>(one: T): T => {
  open.push(one);
  return one;
};

/** A data folder with an adapter and an upload of two pictures. */
async function dataIn(name: string): Promise<DataFolder> {
  const data = await openDataFolder(join(folder, name));
  await copyFile(fixture("adapters/ti.safetensors"), data.adapter("learned"));
  await mkdir(data.upload(upload));
  for (const [i, red] of [40, 200].entries()) {
    const background = { r: red, g: 80, b: 120 };
    const file = data.uploaded(upload, `0${i}.png`);
    await sharp({ create: { width: 64, height: 64, channels: 3, background } })
      .png()
      .toFile(file);
  }
  return data;
}

/** A server with its queue in this process; the specs that it orders, and the events of its queue. */
async function served(data: DataFolder) {
  const jobs = await openJobs(undefined, { attempts: 1 });
  const specs: JobSpec[] = [];
  const events: JobEvent[] = [];
  jobs.events((event) => events.push(event));
  const ensure = (all: readonly JobSpec[]) => {
    specs.push(...all);
    return jobs.ensure(all);
  };
  const store = await openStore(join(folder, "store"));
  const list = opened(
    await openJobList(data, deliverToWorkers({ ...jobs, ensure }, store, { data, models }), { bound: 20 }),
  );
  list.begin();
  return { list, jobs, specs, events };
}

/** A worker that has nothing of the server's. */
async function worker(allow: readonly string[] = [model]) {
  const allowed = await allowedModels(allow);
  const store = await openStore(join(folder, "store"));
  return {
    queues: queuesOf(["pictures", "training"], [...allowed.keys()]),
    ...opened(openStudioWorker({ store, allowed, ...compute })),
  };
}

/** What the server makes of a request by itself. */
async function alone(data: DataFolder, request: JobRequest): Promise<Job> {
  const pipelines = keepPipelines(compute);
  const delivery = await deliverHere(runJobIn({ data, models, pipelines, mostWork: 20_000, ...compute }));
  const list = await openJobList(data, delivery, { bound: 20 });
  list.begin();
  try {
    return await list.finished((await list.add(request)).id);
  } finally {
    await list.close();
    await pipelines.close();
  }
}

const done = async (list: JobList, request: JobRequest): Promise<Job> => list.finished((await list.add(request)).id);
/** The kinds of keys in the store. */
async function kindsInStore(): Promise<string[]> {
  const kinds: string[] = [];
  for (const kind of await readdir(join(folder, "store")))
    if ((await readdir(join(folder, "store", kind))).length > 0) kinds.push(kind);
  return kinds.sort();
}

test("pictures come back through the store, the same as those that the server draws itself", async () => {
  const request = jobRequestSchema.parse({
    adapters: [{ name: "learned", strength: 1 }],
    request: { prompt: "a red cat", steps: 3, seed: 4, count: 2, image: upload, strength: 0.8 },
    variations: [{ guidance: "cfg" }, { guidance: "pg", omega: 0.5 }],
  });
  const [here, there] = [await dataIn("here"), await dataIn("there")];
  const { list, jobs, specs } = await served(there);
  const { queues, handler } = await worker();
  jobs.work(queues, handler);
  const [own, theirs] = [await alone(here, request), await done(list, request)];
  expect(theirs).toMatchObject({ state: "done", starts: 1, progress: own.progress, warnings: own.warnings });
  expect(theirs.pictures).toHaveLength(4);
  for (const [i, picture] of theirs.pictures.entries()) {
    const [before, now] = [here.picture(own.pictures[i]!), there.picture(picture)];
    expect((await readPixels(now)).data).toEqual((await readPixels(before)).data);
    expect((await readPicture(now)).recipe).toEqual((await readPicture(before)).recipe);
  }
  // The queue has a key, and nothing else.
  expect(specs.map(({ data }) => data)).toEqual([{ order: expect.stringMatching(/^order-[0-9a-f]{20}$/) }]);
  // What other jobs may need stays, under the key of its contents.
  await vi.waitFor(async () => expect(await kindsInStore()).toEqual(["adapter", "images"]));
});

test("training goes on at another worker, and its adapter is the same", async () => {
  const request = jobRequestSchema.parse({
    kind: "training",
    name: "my-cat",
    upload,
    class: "cat",
    steps: 12,
    sampleEvery: 6,
    priorCount: 2,
  });
  const [here, there] = [await dataIn("here"), await dataIn("there")];
  const { list, jobs, events } = await served(there);
  const first = await worker();
  const working = jobs.work(first.queues, first.handler);
  const { id } = await list.add(request);
  await expect.poll(() => list.get(id)?.progress?.what, { interval: 5 }).toMatch(/^step [2-9] of 12/);
  await working.close();
  expect(await kindsInStore()).toEqual(expect.arrayContaining(["checkpoint", "drawn"]));
  const before = events.length;
  const second = await worker();
  jobs.work(second.queues, second.handler);
  const theirs = await list.finished(id);
  expect(theirs).toMatchObject({ state: "done", adapter: "my-cat", starts: 2 });
  const steps = events.slice(before).flatMap(({ progress }) => /^step (\d+) of/.exec(progress?.what ?? "")?.[1] ?? []);
  expect(Number(steps[0])).toBeGreaterThan(2);
  const own = await alone(here, request);
  expect(theirs.losses).toEqual(own.losses);
  expect(theirs.pictures).toHaveLength(2);
  expect(await readFile(there.adapter("my-cat"))).toEqual(await readFile(here.adapter("my-cat")));
  for (const [i, picture] of theirs.pictures.entries()) {
    const [a, b] = [await readPixels(there.picture(picture)), await readPixels(here.picture(own.pictures[i]!))];
    expect(a.data).toEqual(b.data);
  }
  await vi.waitFor(async () => expect(await kindsInStore()).toEqual(["images"]));
});

test("a job that a worker does is cancelled within a step, and the worker does the next one", async () => {
  const { list, jobs } = await served(await dataIn("data"));
  const { queues, handler } = await worker();
  jobs.work(queues, handler);
  const { id } = await list.add(jobRequestSchema.parse({ request: { prompt: "a cat", steps: 900, count: 60 } }));
  const next = await list.add(jobRequestSchema.parse({ request: { prompt: "a cat", steps: 1 } }));
  await expect.poll(() => list.get(id)?.progress?.done ?? 0, { interval: 5 }).toBeGreaterThan(0);
  expect(list.position(next.id)).toBe(1);
  await list.cancel(id);
  expect(list.get(id)).toMatchObject({ state: "cancelled" });
  expect(await list.finished(next.id)).toMatchObject({ state: "done", pictures: [`${next.id}-0`] });
});

test("jobs outlive the server and its queue", async () => {
  const data = await dataIn("data");
  const before = await served(data);
  const { id } = await before.list.add(jobRequestSchema.parse({ request: { prompt: "a cat", steps: 2 } }));
  await vi.waitFor(() => expect(before.specs).toHaveLength(1));
  await before.list.close();
  const { list, jobs } = await served(data);
  expect(list.get(id)).toMatchObject({ state: "queued" });
  const { queues, handler } = await worker();
  jobs.work(queues, handler);
  expect(await list.finished(id)).toMatchObject({ state: "done", pictures: [`${id}-0`] });
});

test("an adapter that was deleted meanwhile fails the job, with its name", async () => {
  const { list } = await served(await dataIn("data"));
  const request = { adapters: [{ name: "gone" }], request: { prompt: "a cat" } };
  expect(await done(list, jobRequestSchema.parse(request))).toEqual(refusal("adapter-unknown", "gone"));
});

test("a worker refuses jobs that are of another form, not allowed, too large, or not what their keys say", async () => {
  const { list, jobs, specs } = await served(await dataIn("data"));
  await list.add(jobRequestSchema.parse({ request: { prompt: "a cat", steps: 1, image: upload } }));
  await vi.waitFor(() => expect(specs).toHaveLength(1));
  const [spec] = specs as [JobSpec];
  const at = { signal: new AbortController().signal, progress: () => {} };
  const { handler } = await worker();
  await jobs.close();
  await expect(handler({ ...spec, data: { order: "../../etc" } }, at)).rejects.toThrow(refusal("job-invalid"));
  await expect(handler({ ...spec, id: `studio-${"0".repeat(20)}` }, at)).rejects.toThrow(refusal("job-invalid"));
  await expect(handler({ ...spec, kind: "training" }, at)).rejects.toThrow(refusal("job-invalid"));
  const store = await openStore(join(folder, "store"));
  const other = await shareText("order", "order.json", '{"form":1,"path":"/etc"}', store);
  await expect(handler({ ...spec, data: { order: other } }, at)).rejects.toThrow(
    refusal("json-unexpected", "order.json"),
  );
  const stranger = await worker([fixture("pipelines/sd15-fp16")]);
  await expect(stranger.handler(spec, at)).rejects.toThrow(refusal("model-not-allowed", "sd15", "--allow-model"));
  const modest = opened(openStudioWorker({ store, allowed: await allowedModels([model]), mostWork: 1e-9, ...compute }));
  await expect(modest.handler(spec, at)).rejects.toThrow(refusal("work-too-large"));
  // Somebody replaces a picture of the store, its list of files as well.
  const [key] = await readdir(join(folder, "store", "images"));
  const forged = join(folder, "false");
  await mkdir(forged);
  await writeFile(join(forged, "00.png"), "another");
  await store.replace(`images-${key}`, forged);
  await expect(handler(spec, at)).rejects.toThrow(refusal("store-damaged", `images-${key}`));
});
