/** The client as used by a program, imported by its package name, with a running server. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { ApiError, type Client, createClient, type Job } from "tillerjs/client";
import { type Studio, startStudio } from "tillerjs/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture } from "./fixtures.ts";

let folder: string;
let studio: Studio;
let tiller: Client;
const options = (data: string) => ({ data: join(folder, data), models: [fixture("pipelines/sd15")], port: 0 });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  studio = await startStudio({ ...options("data"), device: "cpu" });
  tiller = createClient(studio.url);
});
afterAll(async () => {
  await studio.close();
  await rm(folder, { recursive: true });
});

const request = { prompt: "a cat", steps: 2, width: 32, height: 32 };

async function over(asked: Promise<Job>): Promise<Job> {
  let job = await asked;
  for await (job of tiller.jobs.watch(job.id));
  return job;
}

const picture = async () =>
  new Blob([
    Uint8Array.from(
      await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
        .png()
        .toBuffer(),
    ),
  ]);

test("lists models, adapters, methods, samplers and metrics", async () => {
  expect(await tiller.models()).toEqual([{ name: "sd15" }]);
  expect(await tiller.adapters()).toEqual([]);
  expect((await tiller.guidanceMethods()).find(({ name }) => name === "pg")).toMatchObject({ baseline: "cfg" });
  expect((await tiller.samplers())[0]).toEqual({ name: "ddim", label: "DDIM", karras: false });
  expect(await tiller.precisions()).toContainEqual({ name: "int8", on: "cpu", usual: false });
  expect((await tiller.metrics()).map(({ name }) => name)).toContain("dino");
});

test("returns the defaults of requests", async () => {
  const { defaults } = tiller;
  expect(await defaults()).toMatchObject({ sampler: "ddim", steps: 50, scale: 7.5, guidance: "cfg" });
  expect(await defaults({ model: "sd15" })).toEqual(await defaults());
  await expect(defaults({ model: "sd16" })).rejects.toMatchObject({ code: "model-unknown" });
  await expect(defaults({ adapter: "../cat" })).rejects.toMatchObject({ code: "name-invalid" });
  await expect(defaults({ adapter: "cat" })).rejects.toMatchObject({ status: 404 });
});

test("pictures are drawn in an available precision, and another is refused at once", async () => {
  const job = await over(tiller.jobs.add({ precision: "int8", request: { ...request, seed: 4 } }));
  const { recipe } = await tiller.pictures.get(job.pictures[0]!);
  expect(recipe?.computed).toEqual({ device: "cpu", precision: "int8" });
  await tiller.pictures.remove(job.pictures[0]!);
  await tiller.jobs.remove(job.id);
  const missing = { code: "precision-unavailable" };
  await expect(tiller.jobs.add({ precision: "float16", request })).rejects.toMatchObject(missing);
  const training = { kind: "training", name: "cat", upload: "none", class: "cat", precision: "int8" } as const;
  await expect(tiller.jobs.add(training)).rejects.toMatchObject(missing);
});

test("adds a job of pictures, watches it to its end, reads and deletes its pictures", async () => {
  const states: string[] = [];
  let job = await tiller.jobs.add({ request: { ...request, seed: 4 }, variations: [{ guidance: "none" }, {}] });
  for await (job of tiller.jobs.watch(job.id)) states.push(job.state);
  expect(states.at(-1)).toBe("done");
  expect((await tiller.jobs.list())[0]).toEqual(job);
  expect(await tiller.jobs.get(job.id)).toEqual(job);
  const [first, second] = job.pictures as [string, string];
  const png = new Uint8Array(await (await tiller.pictures.file(first)).arrayBuffer());
  expect(await sharp(png).metadata()).toMatchObject({ format: "png", width: 32 });
  expect(new Uint8Array(await (await fetch(tiller.pictures.url(first))).arrayBuffer())).toEqual(png);
  expect((await tiller.pictures.get(first)).recipe).toMatchObject({ request: { guidance: "none", seed: 4 } });
  const page = await tiller.pictures.list({ count: 1 });
  expect([page.total, page.pictures.map(({ id }) => id)]).toEqual([2, [second]]);
  await tiller.pictures.remove(first);
  await tiller.jobs.remove(job.id);
  expect([(await tiller.pictures.list()).total, await tiller.jobs.list()]).toEqual([1, []]);
});

test("a stopped job has ended", async () => {
  const { id } = await tiller.jobs.add({ request: { ...request, steps: 900 } });
  await tiller.jobs.stop(id);
  expect((await over(tiller.jobs.get(id))).state).toBe("cancelled");
});

test("an upload's pictures are at their URLs", async () => {
  const upload = await tiller.uploads.add([await picture(), await picture()]);
  const urls = tiller.uploads.urls(upload);
  expect(urls).toHaveLength(2);
  for (const url of urls) expect((await fetch(url)).headers.get("content-type")).toBe("image/png");
});

test("creates a study, invites people to it, and gets the shares of their answers", async () => {
  const variations = [{ guidance: "none" as const }, { guidance: "cfg" as const }];
  const job = await over(tiller.jobs.add({ request: { ...request, prompt: "a sks cat" }, variations }));
  const { id: references } = await tiller.uploads.add([await picture()]);
  const asked = { title: "which", job: job.id, arms: ["none", "cfg"], seeds: 1, references, token: "sks" };
  const { id } = await tiller.studies.add(asked);
  const participants = { invited: 0, begun: 0, finished: 0 };
  const study = { id, title: "which", methods: ["none", "cfg"], sets: 1, participants };
  expect([await tiller.studies.get(id), await tiller.studies.list()]).toEqual([study, [study]]);
  const [one] = await tiller.studies.invite(id, 2);
  const at = (path: string) => new URL(`${one!.address}${path}`, studio.url);
  expect(await (await fetch(at("1"))).text()).toContain("“a cat”");
  const chosen = Buffer.from(await (await fetch(at("1/b.png"))).arrayBuffer());
  const answers = new URLSearchParams({ subject: "b", text: "undecided" });
  expect((await fetch(at("1"), { method: "POST", body: answers })).url).toBe(at("end").href);
  await fetch(at("end"), { method: "POST" });
  expect((await tiller.studies.participants(id)).map(({ state }) => state)).toEqual(["finished", "invited"]);
  const { settings } = await tiller.studies.results(id);
  // The method is the one whose picture was shown as B.
  const pixels = async (png: Buffer) => (await sharp(png).raw().toBuffer()).toString("base64");
  const drawn = await Promise.all(
    job.pictures.map(async (name) => pixels(Buffer.from(await (await tiller.pictures.file(name)).arrayBuffer()))),
  );
  const method = ["none", "cfg"][drawn.indexOf(await pixels(chosen))]!;
  expect(settings[0]!.subject.map(({ choice, share }) => [choice, share])).toEqual([
    ["none", Number(method === "none")],
    ["cfg", Number(method === "cfg")],
    ["undecided", 0],
  ]);
  expect(settings[0]!.text[2]).toMatchObject({ choice: "undecided", share: 1 });
  const [csv, json] = await Promise.all(
    (["csv", "json"] as const).map(async (form) => (await fetch(tiller.studies.exportUrl(id, form))).text()),
  );
  expect(csv).toContain(`"subject","${method}"`);
  expect(JSON.parse(json!).answers).toHaveLength(2);
});

test("a refusal is an error with the server's status, code and message", async () => {
  const refused = tiller.jobs.add({ model: "none", request });
  await expect(refused).rejects.toBeInstanceOf(ApiError);
  await expect(refused).rejects.toMatchObject({
    status: 400,
    code: "model-unknown",
    message: expect.stringContaining("none"),
  });
  await expect(tiller.jobs.get("none")).rejects.toMatchObject({ status: 404 });
  await expect(tiller.uploads.add([new Blob(["text"])])).rejects.toMatchObject({ code: "picture-unreadable" });
});

test("watching ends with its signal, or with an error when the server stops", async () => {
  const other = await startStudio({ ...options("other"), device: "cpu" });
  const client = createClient(other.url);
  const { id } = await client.jobs.add({ request: { ...request, steps: 900 } });
  const leaving = new AbortController();
  const left = async () => {
    for await (const _ of client.jobs.watch(id, { signal: leaving.signal })) leaving.abort(new Error("left"));
  };
  await expect(left()).rejects.toThrow("left");
  const lost = async () => {
    for await (const _ of client.jobs.watch(id)) await other.close();
  };
  await expect(lost()).rejects.toBeInstanceOf(ApiError);
  await expect(client.models()).rejects.toMatchObject({ name: "ApiError", status: undefined, code: undefined });
});

test("the token in the address is sent; without it requests are refused", async () => {
  const open = await startStudio({ ...options("open"), device: "cpu", host: "0.0.0.0" });
  try {
    expect(await createClient(open.url).models()).toEqual([{ name: "sd15" }]);
    const without = createClient(new URL("/", open.url));
    await expect(without.models()).rejects.toMatchObject({ status: 401 });
  } finally {
    await open.close();
  }
});

test("an address with another kind of server gives an error", async () => {
  const server = createServer((_, answer) => answer.end("<h1>hello</h1>")).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as AddressInfo;
  try {
    await expect(createClient(`http://127.0.0.1:${port}`).models()).rejects.toThrow(ApiError);
  } finally {
    server.close();
  }
});
