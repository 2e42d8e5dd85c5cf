/** The server's answers to wrong or malicious requests; drawing is replaced by what each test needs. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TillerError } from "../index.ts";
import { appOf } from "./app.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { deliverHere } from "./deliver-here.ts";
import { type JobList, openJobList } from "./job-list.ts";
import { forms, type Job } from "./jobs.ts";
import { modelsOf } from "./models.ts";
import type { RunJob } from "./run-job.ts";
import { studiesIn } from "./studies.ts";
import { usualMostWork } from "./work.ts";

let folder: string;
let data: DataFolder;
let jobs: JobList;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  data = await openDataFolder(folder);
});
afterEach(async () => {
  await jobs?.close();
  await rm(folder, { recursive: true });
});

type Ask = (path: string, init?: RequestInit) => Promise<Response>;

/** A server that runs its jobs with `run`. */
async function serve(run: RunJob): Promise<Ask> {
  jobs = await openJobList(data, await deliverHere(run), { bound: 20 });
  jobs.begin();
  const scoring = { scores: async () => [], close: async () => {} };
  const precisions = async () => [
    { name: "float32", on: "cpu" } as const,
    { name: "int8", on: "cpu" } as const,
    { name: "auto", on: "cpu" } as const,
  ];
  const studies = studiesIn(data);
  const services = { data, models: modelsOf([]), jobs, scoring, studies, mostWork: usualMostWork, precisions };
  const app = appOf(services, { page: folder });
  return async (path, init) => app.request(`http://localhost${path}`, init);
}

/** Draws nothing. */
const idle: RunJob = async () => ({});
/** Runs until it is stopped. */
const endless: RunJob = (_, __, signal) =>
  new Promise((_, fail) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => fail(signal.reason));
  });

const sending = (body: unknown, type = "application/json"): RequestInit => ({
  method: "POST",
  headers: { "content-type": type },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

// biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary answers.
const json = async (answer: Response | Promise<Response>): Promise<any> => (await answer).json();

/** The same request in each API: its path and body. */
const inEveryForm = (
  request: { seed?: number; count?: number; steps?: number; width?: number; height?: number },
  adapter?: string,
): [form: string, path: string, body: object][] => {
  const { seed = 1, count = 1, steps = 1, width = 8, height = 8 } = request;
  const adapters = adapter === undefined ? [] : [{ name: adapter }];
  const prompt = "a cat";
  return [
    ["own", "/api/jobs", { adapters, request: { prompt, seed, count, steps, width, height } }],
    ["openai", "/v1/images/generations", { prompt, seed, n: count, steps, size: `${width}x${height}`, adapters }],
    [
      "community",
      "/sdapi/v1/txt2img",
      {
        prompt: adapter === undefined ? prompt : `${prompt} <lora:${adapter}:1>`,
        ...{ seed, batch_size: count, steps, width, height },
      },
    ],
  ];
};

async function refusalOf(answer: Response) {
  const { error } = await json(answer.clone());
  const { code, message } = typeof error === "object" ? error : { ...(await json(answer)), message: error };
  return { status: answer.status, code: code ?? undefined, message };
}

describe("a request that is refused at once, in every API", () => {
  const exact = Number.MAX_SAFE_INTEGER;
  test.each([
    ["seeds beyond 2^53 - 1", { seed: exact, count: 2 }, undefined, "seed-invalid"],
    ["seeds beyond 2^53 - 1 by three", { seed: exact, count: 4 }, undefined, "seed-invalid"],
    [
      "10 pictures of 2048 x 2048 in 1000 steps",
      { count: 10, steps: 1000, width: 2048, height: 2048 },
      undefined,
      "work-too-large",
    ],
    ["the adapter ..", {}, "..", "name-invalid"],
    ["the adapter .", {}, ".", "name-invalid"],
    ["an adapter that ends in a dot", {}, "cat.", "name-invalid"],
    ["an adapter that ends in a space", {}, "cat ", "name-invalid"],
    ["a hidden adapter", {}, ".cat", "name-invalid"],
    ["an adapter that is a device on Windows", {}, "con", "name-invalid"],
    ["an adapter that is a device with an extension", {}, "Lpt1.cat", "name-invalid"],
  ] as const)("%s", async (_, request, adapter, code) => {
    const ask = await serve(idle);
    for (const [form, path, body] of inEveryForm(request, adapter)) {
      const refused = await refusalOf(await ask(path, sending(body)));
      expect([form, refused.status, refused.code]).toEqual([form, 400, code]);
    }
    expect(jobs.list()).toEqual([]);
  });

  test("requests exactly at the limits are accepted", async () => {
    const ask = await serve(idle);
    const [[, path, body]] = inEveryForm({ seed: exact - 3, count: 4, steps: 1000, width: 2048, height: 1024 }) as [
      [string, string, object],
    ];
    expect((await ask(path, sending(body))).status).toBe(201);
  });

  test("the message about too much work states the work and the limit", async () => {
    const ask = await serve(idle);
    const request = { prompt: "a cat", count: 64, steps: 1000, width: 2048, height: 2048 };
    expect(await json(ask("/api/jobs", sending({ request })))).toMatchObject({
      error: expect.stringMatching(/^the 64 pictures would take 268436 megapixel-steps .* limit is 20000/),
    });
    const variations = Array(64).fill({});
    expect(await json(ask("/api/jobs", sending({ request: { ...request, steps: 50 }, variations })))).toMatchObject({
      code: "work-too-large",
      error: expect.stringContaining("the 4096 pictures"),
    });
  });
});

describe("tried, answered, code", () => {
  const drawing = { request: { prompt: "a cat" } };
  const training = { kind: "training", name: "cat", upload: "mif10zq0-0123456789", class: "cat" };
  const long = "x".repeat(41);
  const cross = (site: string, more = {}) => ({ headers: { "sec-fetch-site": site, ...more } });
  const job = sending(drawing);
  const from = (headers: Record<string, string>) => ({ ...job, headers: { ...job.headers, ...headers } });
  test.each<[tried: string, path: string, init: RequestInit, status: number, code?: string]>([
    ["invalid JSON", "/api/jobs", sending("{"), 400, "request-invalid"],
    ["JSON as plain text", "/api/jobs", sending(drawing, "text/plain"), 400, "request-invalid"],
    ["JSON as a form", "/api/jobs", sending(drawing, "application/x-www-form-urlencoded"), 400, "request-invalid"],
    [
      "JSON as a type with the same prefix",
      "/api/jobs",
      sending(drawing, "application/json-seq"),
      400,
      "request-invalid",
    ],
    [
      "JSON as plain text, to OpenAI's API",
      "/v1/images/generations",
      sending({}, "text/plain"),
      400,
      "request-invalid",
    ],
    ["JSON as plain text, to the web UI's API", "/sdapi/v1/txt2img", sending({}, "text/plain"), 400, "request-invalid"],
    ["JSON with its charset", "/api/jobs", sending(drawing, "application/json; charset=utf-8"), 201],
    ["training under a path", "/api/jobs", sending({ ...training, name: "../x" }), 400, "name-invalid"],
    ["training under ..", "/api/jobs", sending({ ...training, name: ".." }), 400, "name-invalid"],
    ["training under a device's name", "/api/jobs", sending({ ...training, name: "AUX" }), 400, "name-invalid"],
    ["training under a long name", "/api/jobs", sending({ ...training, name: long }), 400, "name-invalid"],
    ["training on a path", "/api/jobs", sending({ ...training, upload: "../x" }), 400, "name-invalid"],
    ["training on the uploads' folder", "/api/jobs", sending({ ...training, upload: "." }), 400, "name-invalid"],
    ["training on a run's folder", "/api/jobs", sending({ ...training, upload: "x.cat.run" }), 400, "name-invalid"],
    [
      "training with class images beyond 2^53 - 1",
      "/api/jobs",
      sending({ ...training, seed: Number.MAX_SAFE_INTEGER }),
      400,
      "seed-invalid",
    ],
    [
      "a seed beyond 2^53 - 1 in a variation",
      "/api/jobs",
      sending({ request: { prompt: "", count: 2 }, variations: [{ seed: Number.MAX_SAFE_INTEGER }] }),
      400,
      "seed-invalid",
    ],
    ["an unknown model", "/api/jobs", sending({ ...drawing, model: "x" }), 400, "model-unknown"],
    [
      "an unknown model, in the web UI's API",
      "/sdapi/v1/txt2img",
      sending({ override_settings: { sd_model_checkpoint: "x" } }),
      400,
      "model-unknown",
    ],
    ["a picture that is a device", "/pictures/nul.png", {}, 400, "name-invalid"],
    ["a picture's recipe that is a device", "/api/pictures/com1", {}, 400, "name-invalid"],
    ["a study that ends in a dot", "/api/studies/x.", {}, 400, "name-invalid"],
    ["an upload that is another folder", "/api/uploads/..%2fpictures/00.png", {}, 400, "name-invalid"],
    ["an upload's picture that is another file", "/api/uploads/x/token", {}, 400, "name-invalid"],
    ["a page of another site loads", "/api/jobs", cross("cross-site"), 403, "origin-not-allowed"],
    ["a page of another port loads", "/api/jobs", cross("same-site"), 403, "origin-not-allowed"],
    [
      "a page of another site shows a picture",
      "/pictures/x.png",
      cross("cross-site", { "sec-fetch-dest": "image" }),
      403,
      "origin-not-allowed",
    ],
    [
      "a page of another site frames Studio",
      "/",
      cross("cross-site", { "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }),
      403,
      "origin-not-allowed",
    ],
    [
      "a page of another site sends, its origin left out",
      "/api/jobs",
      from({ "sec-fetch-site": "cross-site" }),
      403,
      "origin-not-allowed",
    ],
    [
      "a page of another site sends a form as a page",
      "/api/jobs",
      from({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }),
      403,
      "origin-not-allowed",
    ],
    ["a page of another origin sends", "/api/jobs", from({ origin: "http://example.org" }), 403, "origin-not-allowed"],
    ["a page without an origin sends", "/api/jobs", from({ origin: "null" }), 403, "origin-not-allowed"],
    ["DNS rebinding", "/api/jobs", { headers: { host: "example.org" } }, 403, "host-not-allowed"],
    ["a job that does not exist", "/api/jobs/x", {}, 404, "not-found"],
    ["an address that does not exist", "/api/nothing", {}, 404, "not-found"],
    [
      "JSON of more than 1 MiB",
      "/api/jobs",
      sending({ ...drawing, more: "x".repeat(2 ** 20) }),
      413,
      "request-too-large",
    ],
    [
      "a link to this server",
      "/api/jobs",
      cross("cross-site", { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }),
      200,
    ],
    ["the address typed in", "/api/jobs", cross("none"), 200],
    ["Studio itself", "/api/jobs", from({ "sec-fetch-site": "same-origin", origin: "http://localhost" }), 201],
    ["a program", "/api/jobs", job, 201],
  ])("%s", async (_, path, init, status, code) => {
    const ask = await serve(idle);
    const answer = await ask(path, init);
    expect(answer.status).toBe(status);
    if (status >= 400) expect(await refusalOf(answer)).toMatchObject({ code, message: expect.any(String) });
  });
});

/** Waits until a job runs; its id. */
async function running(): Promise<string> {
  for (;;) {
    const job = jobs.list().find(({ state }) => state === "running");
    if (job) return job.id;
    await new Promise((done) => setTimeout(done, 5));
  }
}

describe("a job that is cancelled while it runs", () => {
  test.each(inEveryForm({}))("of the API %s", async (form, path, body) => {
    const ask = await serve(endless);
    const answer = ask(path, sending(body));
    const id = await running();
    const stopped = await json(ask(`/api/jobs/${id}/stop`, { method: "POST" }));
    expect(stopped).toMatchObject({ id, state: "cancelled" });
    // Neither a failure nor a defect.
    for (const key of ["error", "code", "defect"]) expect(stopped).not.toHaveProperty(key);
    if (form === "own") expect((await answer).status).toBe(201);
    else expect(await refusalOf(await answer)).toMatchObject({ status: 409, code: "job-cancelled" });
  });
});

describe("an interrupt through the web UI's API", () => {
  test.each(
    inEveryForm({}).map(([form, ...rest]) => [form, form === "community" ? "cancelled" : "running", ...rest] as const),
  )("leaves a job that came through %s %s", async (_, state, path, body) => {
    const ask = await serve(endless);
    void ask(path, sending(body));
    const id = await running();
    expect((await ask("/sdapi/v1/interrupt", { method: "POST" })).status).toBe(200);
    expect(jobs.get(id)?.state).toBe(state);
  });

  test("works on its jobs after a restart, too", async () => {
    const ask = await serve(endless);
    for (const [, path, body] of inEveryForm({})) void ask(path, sending(body));
    await running();
    await vi.waitFor(() => expect(jobs.list()).toHaveLength(3));
    await jobs.close();
    await serve(idle);
    expect(new Set(jobs.list().map(({ form }) => form))).toEqual(new Set([undefined, ...forms]));
  });
});

describe("no client sees stacks or the server's paths after", () => {
  const secret = "/home/someone/models/sd15";
  const listed = new TillerError("file-missing", `${secret}/unet/config.json does not exist.`, {
    paths: [`${secret}/unet/config.json`],
  });
  const forgotten = new TillerError(
    "device-unavailable",
    `libcuda.so: cannot open ${secret}/lib/libcuda.so, or "C:\\Users\\someone\\x.dll".`,
  );
  const caused = new TillerError("file-not-written", `cat could not be written: ENOSPC ${secret}/cat.`, {
    cause: Object.assign(new Error("no space"), { path: `${secret}/cat` }),
  });
  const defect = new TypeError(`cannot read ${secret}`);
  test.each<[what: string, failure: Error, status: number, code: string | undefined, rest: RegExp]>([
    ["an error that lists its paths", listed, 422, "file-missing", /^config\.json does not exist\.$/],
    [
      "an error that lists too few",
      forgotten,
      422,
      "device-unavailable",
      /^libcuda\.so: cannot open libcuda\.so, or "x\.dll"\.$/,
    ],
    ["an error around another", caused, 422, "file-not-written", /ENOSPC cat\.$/],
    ["a defect", defect, 500, undefined, /^this is a defect of Tiller; the server's own output says more\.$/],
  ])("%s", async (_, failure, status, code, rest) => {
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    const ask = await serve(async () => {
      throw failure;
    });
    const told: string[] = [];
    for (const [form, path, body] of inEveryForm({})) {
      const answer = await ask(path, sending(body));
      told.push(await answer.clone().text());
      if (form !== "own")
        expect(await refusalOf(answer)).toMatchObject({ status, code, message: expect.stringMatching(rest) });
    }
    const [{ id }] = jobs.list() as [Job];
    await jobs.finished(id);
    const stream = (await ask(`/api/jobs/${id}/events`)).body!.getReader();
    told.push(new TextDecoder().decode((await stream.read()).value));
    await stream.cancel();
    expect(await json(ask(`/api/jobs/${id}`))).toMatchObject({ state: "failed", error: expect.stringMatching(rest) });
    // In the answer, on disk, and after a restart.
    told.push(await (await ask("/api/jobs")).text(), await readFile(data.job(id), "utf8"));
    const again = await serve(idle);
    told.push(await (await again("/api/jobs")).text());
    for (const text of told) expect(text).not.toMatch(/someone|home|Users|\.ts:\d|node:internal/);
    // The server's output has the whole defect.
    if (failure === defect) expect(warn).toHaveBeenCalledWith(expect.stringContaining(secret));
    warn.mockRestore();
  });

  test("a failure recorded by an earlier version of Tiller", async () => {
    const old = {
      id: "mif10zq0-0123456789",
      state: "failed",
      request: { request: { prompt: "a cat" } },
      created: 1,
      warnings: [`the strength 0.5 of ${secret}/cat.safetensors has no effect: it is an embedding`],
      error: `Error: ENOENT: ${secret}\n    at open (node:internal/fs/promises:639:25)`,
    };
    await writeFile(data.job(old.id), JSON.stringify(old));
    const ask = await serve(idle);
    expect(await json(ask(`/api/jobs/${old.id}`))).toMatchObject({
      code: "job-failed",
      error: "the job failed under an earlier version of Tiller: send it again.",
      warnings: ["the strength 0.5 of cat.safetensors has no effect: it is an embedding"],
    });
  });

  test("a damaged file of the server", async () => {
    await mkdir(data.study("x"));
    await writeFile(join(data.study("x"), "study.json"), "{");
    await mkdir(data.picture("y"));
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    const ask = await serve(idle);
    for (const path of ["/api/studies/x", "/api/pictures/y", "/pictures/y.png"]) {
      const answer = await ask(path);
      expect([path, answer.status >= 400]).toEqual([path, true]);
      expect(await answer.text()).not.toContain(folder);
    }
    warn.mockRestore();
  });
});

test("/metrics has jobs by state, pictures and memory as Prometheus reads them", async () => {
  const ask = await serve(async () => ({ pictures: ["a", "b"] }));
  const { id } = await json(
    ask("/api/jobs", sending({ request: { prompt: "a cat", seed: 1, count: 1, steps: 1, width: 8, height: 8 } })),
  );
  await jobs!.finished(id);
  const answer = await ask("/metrics");
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await answer.text();
  expect(text).toMatch(/^# TYPE tiller_jobs gauge$/m);
  expect(text).toMatch(/^tiller_jobs\{state="done"\} 1$/m);
  expect(text).toMatch(/^tiller_jobs\{state="queued"\} 0$/m);
  expect(text).toMatch(/^tiller_pictures 2$/m);
  expect(text).toMatch(/^tiller_resident_memory_bytes \d{7,}$/m);
});
