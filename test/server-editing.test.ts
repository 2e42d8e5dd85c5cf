/** Editing by instruction over HTTP on a tiny InstructPix2Pix: jobs with a base, and OpenAI's client. */
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import OpenAI, { toFile } from "openai";
import sharp from "sharp";
import { type Client, createClient, type Job, type PicturesJob } from "tillerjs/client";
import { type Studio, startStudio } from "tillerjs/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agreement, fixture, reference } from "./fixtures.ts";

interface Case {
  readonly name: string;
  readonly request: PicturesJob["request"];
}

const cases = JSON.parse(readFileSync(fixture("editing/cases.json"), "utf8")) as Case[];
const stored = await reference("../editing/pictures.safetensors");
const base = basename(fixture("pipelines/sd15"));
/** The only part of the folder is its U-Net. */
const part = "edit-unet";
const model = "edit";

let folder: string;
let studio: Studio;
let tiller: Client;
let image: string;
let photo: Buffer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const whole = join(folder, model);
  for (const name of ["vae", "text_encoder", "tokenizer"])
    await cp(join(fixture("pipelines/sd15"), name), join(whole, name), { recursive: true });
  await cp(fixture("editing/model"), whole, { recursive: true });
  await cp(fixture("editing/model/unet"), join(folder, part, "unet"), { recursive: true });
  const models = [whole, fixture("pipelines/sd15"), join(folder, part)];
  studio = await startStudio({ data: join(folder, "data"), models, port: 0, device: "cpu", threads: 2 });
  tiller = createClient(studio.url);
  const { shape, data } = await stored("photo-64x64");
  const raw = { width: shape[1]!, height: shape[0]!, channels: 3 } as const;
  photo = await sharp(Uint8Array.from(data), { raw }).png().toBuffer();
  image = (await tiller.uploads.add([new Blob([new Uint8Array(photo)])])).id;
});
afterAll(async () => {
  await studio.close();
  await rm(folder, { recursive: true });
});

const requestOf = (name: string) => cases.find((one) => one.name === name)!.request;
const pixelsOf = async (file: Buffer) => sharp(file).removeAlpha().raw().toBuffer();

/** A job's pictures, as pixels. */
async function drawn(asked: PicturesJob): Promise<{ job: Job; pictures: Buffer[] }> {
  let job = await tiller.jobs.add(asked);
  for await (job of tiller.jobs.watch(job.id));
  if (job.state !== "done") throw Object.assign(new Error(job.error), { code: job.code });
  const files = job.pictures.map(async (id) => Buffer.from(await (await tiller.pictures.file(id)).arrayBuffer()));
  return { job, pictures: await Promise.all(files.map(async (file) => pixelsOf(await file))) };
}

test("a job with a base gives the reference's edits at each omega and in both readings, and its recipes name the base", async () => {
  const names = ["pg-edit-0", "pg-edit-0.4", "pg-edit-1", "pg-edit-0.4-null"];
  const [first] = names.map(requestOf);
  const variations = names.map(requestOf).map(({ omega, weakRows }) => ({ omega, weakRows }));
  const { job, pictures } = await drawn({ base, request: { ...first!, image }, variations });
  for (const [i, name] of names.entries()) {
    // Rounding differs by one of 255 at a few pixels.
    expect(agreement(pictures[i]!, (await stored(name)).data), name).toBeGreaterThanOrEqual(0.999);
  }
  expect(pictures[0]!.equals(pictures[1]!)).toBe(false);
  const { recipe } = await tiller.pictures.get(job.pictures[1]!);
  expect(recipe).toMatchObject({ model, base, request: { guidance: "pg-edit", omega: 0.4, image: { file: image } } });
  expect(JSON.stringify(recipe)).not.toContain("/");
});

test("the same edit comes from a folder with only the U-Net, and at omega 1 from the editing model alone", async () => {
  const request = { ...requestOf("pg-edit-0"), image, steps: 3 };
  const [whole, only] = [await drawn({ base, request }), await drawn({ model: part, base, request })];
  expect(only.pictures).toEqual(whole.pictures);
  const [one, alone] = [
    await drawn({ base, request: { ...request, omega: 1 } }),
    await drawn({ request: { ...request, guidance: "cfg-edit", omega: undefined } }),
  ];
  expect(agreement(one.pictures[0]!, alone.pictures[0]!)).toBeGreaterThanOrEqual(0.999);
  expect(agreement(one.pictures[0]!, whole.pictures[0]!)).toBeLessThan(0.9);
});

test("the defaults are the editing model's, and others with its base", async () => {
  expect(await tiller.defaults()).toMatchObject({ guidance: "cfg-edit", sampler: "euler-a", steps: 100 });
  expect(await tiller.defaults({ model: part, base })).toMatchObject({ guidance: "pg-edit", omega: 0 });
  await expect(tiller.defaults({ base: "none" })).rejects.toMatchObject({ code: "model-unknown" });
});

test("OpenAI's client edits a picture by its prompt, with and without a base", async () => {
  const openai = new OpenAI({ apiKey: "unused", baseURL: new URL("/v1", studio.url).href });
  const edited = async (given: object) => {
    const { data } = await openai.images.edit({
      image: await toFile(photo, "photo.png"),
      ...given,
    } as unknown as Parameters<typeof openai.images.edit>[0] & { stream?: false });
    return pixelsOf(Buffer.from(data![0]!.b64_json!, "base64"));
  };
  const form = ({ width, height, karras: _, ...request }: PicturesJob["request"]) => ({
    ...request,
    size: `${width}x${height}`,
  });
  for (const name of ["cfg-edit-3-2.5", "pg-edit-0.4-null"]) {
    const found = await edited({ ...form(requestOf(name)), model, ...(name.startsWith("pg") && { base }) });
    expect(agreement(found, (await stored(name)).data), name).toBeGreaterThanOrEqual(0.999);
  }
  const mask = await toFile(photo, "mask.png");
  await expect(edited({ ...form(requestOf("cfg-edit")), mask })).rejects.toMatchObject({ code: "setting-invalid" });
});

test("what cannot be edited is refused in one sentence", async () => {
  const request = { ...requestOf("cfg-edit"), image, steps: 1 };
  const refused = async (asked: PicturesJob, code: string, ...says: string[]) => {
    const error = await drawn(asked).then(
      () => expect.fail("it was drawn"),
      (error: Error) => error,
    );
    expect(error).toMatchObject({ code });
    for (const one of says) expect(error.message).toContain(one);
    expect(error.message).not.toContain(folder);
  };
  await refused({ base: "none", request }, "model-unknown", "none", base);
  await refused({ request: { ...request, image: undefined } }, "image-missing", model);
  await refused({ request: { ...request, mask: image } }, "setting-invalid", "mask");
  await refused({ request: { ...request, guidance: "cfg" } }, "guidance-unsuited", "cfg-edit");
  await refused({ model: part, request }, "model-incomplete", "base");
  await refused({ model: base, request }, "guidance-unsuited", "cfg-edit");
  // It is drawn, and a warning says that nothing is steered.
  const { job } = await drawn({ request: { ...request, guidance: "pg-edit" } });
  expect(job.warnings.join(" ")).toContain("no adapter or base is given");
  const training = { kind: "training", name: "x", class: "cat", upload: image, base } as never;
  await expect(tiller.jobs.add(training)).rejects.toMatchObject({ code: "request-invalid" });
});
