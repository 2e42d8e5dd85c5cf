/** Starting from a picture over HTTP on a tiny model: the client, an OpenAI client and the web UI's API. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";
import sharp from "sharp";
import { type Client, createClient, type Job, type PicturesJob } from "tillerjs/client";
import { type Studio, startStudio } from "tillerjs/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture } from "./fixtures.ts";

let folder: string;
let studio: Studio;
let tiller: Client;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const model = fixture("pipelines/sd15");
  studio = await startStudio({ data: folder, models: [model], port: 0, device: "cpu", threads: 2 });
  tiller = createClient(studio.url);
});
afterAll(async () => {
  await studio.close();
  await rm(folder, { recursive: true });
});

const [width, height] = [64, 48];
/** Two colours beside each other. */
const halves = (left: string, right: string) =>
  sharp(
    Buffer.from(
      `<svg width="${width}" height="${height}"><rect width="100%" height="100%" fill="${right}"/><rect width="50%" height="100%" fill="${left}"/></svg>`,
    ),
  )
    .png()
    .toBuffer();
const photo = await halves("orange", "navy");
const mask = await halves("white", "black");
/** The same mask by transparency. */
const hole = sharp(photo)
  .ensureAlpha()
  .composite([{ input: await halves("white", "transparent"), blend: "dest-out" }]);
const blob = (bytes: Buffer) => new Blob([new Uint8Array(bytes)]);
const drawing = { prompt: "a red cat", steps: 4, seed: 3, guidance: "cfg", width, height } as const;
/** The pixels' hash. */
const raw = async (file: Buffer) =>
  createHash("sha256")
    .update(await sharp(file).raw().toBuffer())
    .digest("hex");

/** The only picture of a job of our own. */
async function drawn(request: PicturesJob["request"]): Promise<{ job: Job; pixels: string }> {
  let job = await tiller.jobs.add({ request });
  for await (job of tiller.jobs.watch(job.id));
  if (job.state !== "done") throw Object.assign(new Error(job.error), { code: job.code });
  return { job, pixels: await raw(Buffer.from(await (await tiller.pictures.file(job.pictures[0]!)).arrayBuffer())) };
}

const community = (body: object) =>
  fetch(new URL("/sdapi/v1/img2img", studio.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...drawing, init_images: [photo.toString("base64")], ...body }),
  });
const fromCommunity = async (body: object) => {
  const answer = (await (await community(body)).json()) as { images: string[]; error?: string };
  return raw(Buffer.from(answer.images[0]!, "base64"));
};

test("the same picture comes from our own jobs, the web UI's API and OpenAI's client, with and without a mask", async () => {
  const [image, white] = [(await tiller.uploads.add([blob(photo)])).id, (await tiller.uploads.add([blob(mask)])).id];
  const whole = await drawn({ ...drawing, image, strength: 0.5 });
  const part = await drawn({ ...drawing, image, mask: white, strength: 0.75 });
  expect(part.pixels).not.toBe(whole.pixels);
  expect(await fromCommunity({ denoising_strength: 0.5 })).toBe(whole.pixels);
  expect(await fromCommunity({ mask: `data:image/png;base64,${mask.toString("base64")}` })).toBe(part.pixels);
  const black = await halves("black", "white");
  expect(await fromCommunity({ mask: black.toString("base64"), inpainting_mask_invert: 1 })).toBe(part.pixels);

  const openai = new OpenAI({ apiKey: "unused", baseURL: new URL("/v1", studio.url).href });
  const edited = async (given: object) => {
    const { width: _, height: __, ...more } = drawing;
    const named = { ...more, image: await toFile(photo, "photo.png"), size: `${width}x${height}`, ...given };
    const { data } = await openai.images.edit(
      named as unknown as Parameters<typeof openai.images.edit>[0] & { stream?: false },
    );
    return raw(Buffer.from(data![0]!.b64_json!, "base64"));
  };
  expect(await edited({ strength: 0.5 })).toBe(whole.pixels);
  const transparent = await toFile(await hole.png().toBuffer(), "mask.png");
  expect(await edited({ strength: 0.75, mask: transparent })).toBe(part.pixels);
  expect(await edited({ strength: 0.75, mask: await toFile(mask, "mask.png") })).toBe(part.pixels);
  // Other servers' forms leave no uploads behind.
  expect((await readdir(join(folder, "uploads"))).sort()).toEqual([image, white].sort());
});

test("a job counts the steps that are drawn, and its recipe names the upload and has its hash", async () => {
  const image = (await tiller.uploads.add([blob(photo)])).id;
  const { job } = await drawn({ ...drawing, image, strength: 0.5 });
  expect(job.progress).toMatchObject({ done: 2, total: 2 });
  const { recipe } = await tiller.pictures.get(job.pictures[0]!);
  expect(recipe!.request).toMatchObject({ image: { file: image, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  expect(JSON.stringify(recipe)).not.toContain("/");
});

test("variations differ in strength", async () => {
  const image = (await tiller.uploads.add([blob(photo)])).id;
  let job = await tiller.jobs.add({
    request: { ...drawing, image },
    variations: [{ strength: 0.25 }, { strength: 1 }],
  });
  for await (job of tiller.jobs.watch(job.id));
  const strengths = job.pictures.map(async (id) => (await tiller.pictures.get(id)).recipe!.request.strength);
  expect(await Promise.all(strengths)).toEqual([0.25, 1]);
});

test("what cannot be drawn is refused in one sentence", async () => {
  const image = (await tiller.uploads.add([blob(photo)])).id;
  const small = (await tiller.uploads.add([blob(await sharp(mask).resize(32, 24).png().toBuffer())])).id;
  await expect(drawn({ ...drawing, mask: image })).rejects.toMatchObject({ code: "image-missing" });
  await expect(drawn({ ...drawing, image, strength: 0 })).rejects.toMatchObject({ code: "request-invalid" });
  await expect(drawn({ ...drawing, image: "gone" })).rejects.toMatchObject({ code: "pictures-gone" });
  await expect(drawn({ ...drawing, image, mask: small })).rejects.toMatchObject({ code: "mask-size" });
  const refused = async (body: object) => {
    const answer = await community(body);
    expect([400, 422]).toContain(answer.status);
    return ((await answer.json()) as { error: string }).error;
  };
  expect(await refused({ init_images: ["no picture"] })).toMatch(/init_images/);
  expect(await refused({ denoising_strength: 1.2 })).toMatch(/denoising_strength/);
  expect(await refused({ inpaint_full_res: true, mask: mask.toString("base64") })).toMatch(/inpaint_full_res.*false/);
  const form = new FormData();
  form.append("prompt", "a cat");
  const answer = await fetch(new URL("/v1/images/edits", studio.url), { method: "POST", body: form });
  expect(answer.status).toBe(400);
  expect(((await answer.json()) as { error: { message: string } }).error.message).toContain("image");
});
