/** Runs the examples on the embedded model with few steps. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { readRecipe } from "tillerjs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createApp } from "../examples/product/app.ts";
import { drawReferences, embeddedConcept } from "../src/experiments/concepts.ts";

/** Servers started by examples, to be closed. */
const started = vi.hoisted((): { close(): unknown }[] => []);
vi.mock("@hono/node-server", async (original) => {
  const real = await original<typeof import("@hono/node-server")>();
  const serve: typeof real.serve = (...given) => {
    const server = real.serve(...given);
    started.push(server);
    return server;
  };
  return { ...real, serve };
});

let folder: string;
let images: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-examples-"));
  images = join(folder, "dog");
  await drawReferences(embeddedConcept("brown_dog"), images);
});
afterAll(async () => {
  for (const server of started) server.close();
  await rm(folder, { recursive: true });
});

const { argv } = process;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
const call = (...given: string[]) => {
  process.argv = [...argv.slice(0, 2), ...given];
};

const isPicture = async (png: Uint8Array) => {
  const { format, width, height } = await sharp(png).metadata();
  return [format, width, height].join(" ") === "png 128 128";
};

test("picture.ts writes a PNG for its prompt", async () => {
  const file = join(folder, "cat.png");
  call("a cat on the beach", file);
  await import("../examples/picture.ts");
  expect(await isPicture(await readFile(file))).toBe(true);
  expect((await readRecipe(file)).request).toMatchObject({ prompt: "a cat on the beach", seed: 7 });
});

test("train-and-draw.ts learns a subject, prints its steps, and draws it", async () => {
  const out = join(folder, "my-dog.safetensors");
  const told = vi.spyOn(console, "log").mockImplementation(() => {});
  call("--images", images, "--class", "dog", "--steps", "2", "--out", out);
  await import("../examples/train-and-draw.ts");
  expect(told.mock.calls.map(([line]) => line)).toEqual([
    expect.stringContaining("step 1 of 2"),
    expect.stringContaining("step 2 of 2"),
  ]);
  expect(await isPicture(await readFile(`${out}.png`))).toBe(true);
  expect((await readRecipe(`${out}.png`)).adapters).toMatchObject([{ name: "my-dog", strength: 1 }]);
});

test("the product takes pictures, learns their subject and draws it, and reports errors", async () => {
  const app = await createApp({
    data: join(folder, "subjects"),
    model: "dinghy",
    training: { steps: 2, prior: false },
    drawing: { steps: 2, guidance: "pg", omega: 0.6 },
  });
  const json = async (answer: Response | Promise<Response>) => (await (await answer).json()) as Record<string, unknown>;
  const form = new FormData();
  expect((await app.request("/subjects", { method: "POST", body: form })).status).toBe(400);
  form.append("class", "dog");
  for (const name of ["0.png", "1.png", "2.png"]) {
    const bytes = new Uint8Array(await readFile(join(images, name)));
    form.append("pictures", new File([bytes], name, { type: "image/png" }));
  }
  const { id } = await json(app.request("/subjects", { method: "POST", body: form }));
  expect(await json(app.request(`/subjects/${id}`))).toEqual({ ready: false });
  const draw = (asked: object) =>
    app.request(`/subjects/${id}/pictures`, { method: "POST", body: JSON.stringify(asked) });
  expect((await draw({ prompt: "a sks dog" })).status).toBe(404);
  await expect.poll(() => json(app.request(`/subjects/${id}`))).toEqual({ ready: true });

  const picture = await draw({ prompt: "a sks dog in the snow", seed: 1 });
  expect(picture.headers.get("content-type")).toBe("image/png");
  expect(await isPicture(new Uint8Array(await picture.arrayBuffer()))).toBe(true);
  const wrong = await draw({ seed: 1 });
  expect([wrong.status, await wrong.json()]).toMatchObject([400, { code: "setting-invalid" }]);
  expect((await app.request("/subjects/00000000-0000-0000-0000-000000000000")).status).toBe(404);
});

test("the product's server prints its URL and answers there", async () => {
  vi.stubEnv("DATA", join(folder, "served"));
  vi.stubEnv("PORT", "0");
  const told = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("../examples/product/server.ts");
  await expect.poll(() => told.mock.calls[0]?.[0]).toMatch(/^http:/);
  const answer = await fetch(`${told.mock.calls[0]![0]}/subjects`, { method: "POST", body: new FormData() });
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: expect.any(String) }]);
});
