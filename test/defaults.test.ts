/** What is left out is the model's and its adapter's, whoever asks: the library, the command line, Studio and its clients. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { madeBy, writeEmbeddings } from "../src/adapters/index.ts";
import { run } from "../src/cli/run.ts";
import { parseExperiment } from "../src/experiments/experiment.ts";
import { wholeExperiment } from "../src/experiments/whole.ts";
import { Pipeline, probeDevice, type Recipe, readRecipe, train } from "../src/index.ts";
import { type Studio, startStudio } from "../src/server/index.ts";
import { refusal } from "./refusal.ts";

let folder: string;
let studio: Studio;
let adapter: string;
const prompt = "a <cat> on the beach";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  studio = await startStudio({ data: join(folder, "data"), port: 0, device: "cpu" });
  adapter = join(folder, "data", "adapters", "cat.safetensors");
  // ClassDiffusion's omega is 0, which no other default is.
  const vectors = new Map([["<cat>", [new Float32Array(160)]]]);
  await writeEmbeddings(adapter, vectors, madeBy("class-diffusion", {}));
});
afterAll(async () => {
  await studio.close();
  await rm(folder, { recursive: true });
});

/** What dinghy's own tiller.json says, and its family's: pg because there is an adapter. */
const expected = {
  guidance: "pg",
  scale: 2.5,
  omega: 0,
  sampler: "ddim",
  steps: 20,
  width: 128,
  height: 128,
};
const settingsOf = ({ request }: Recipe) => {
  const { guidance, scale, omega, sampler, steps, width, height } = request;
  return { guidance, scale, omega, sampler, steps, width, height };
};
const post = async (path: string, body: object) => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(new URL(path, studio.url), { method: "POST", headers, body: JSON.stringify(body) });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever is there.
  return (await answer.json()) as any;
};
const recipeOf = async (png: string): Promise<Recipe> => {
  const file = join(folder, "answer.png");
  await writeFile(file, Buffer.from(png, "base64"));
  return readRecipe(file);
};

test("the library", async () => {
  const pipeline = await Pipeline.load("dinghy", { device: "cpu", adapters: [adapter] });
  try {
    expect(pipeline.defaults).toMatchObject(expected);
    for await (const event of pipeline.generate({ prompt })) {
      if (event.type === "picture") expect(settingsOf(event.recipe)).toEqual(expected);
    }
    // Without the adapter there is nothing to steer by.
    await pipeline.setAdapters([]);
    expect(pipeline.defaults).toMatchObject({ guidance: "cfg", omega: 0.6 });
  } finally {
    await pipeline.close();
  }
});

test("the command line", async () => {
  const out = join(folder, "out");
  const silent = () => new PassThrough().resume();
  const world = { stdout: silent(), stderr: silent(), signal: new AbortController().signal, train };
  const loadPipeline = Pipeline.load;
  const argv = ["generate", "--adapter", adapter, "--prompt", prompt, "--device", "cpu", "--out", out];
  expect(await run(argv, { ...world, loadPipeline, probeDevice })).toBe(0);
  expect(await readdir(out)).toEqual(["tiller-0-pg-w0.png"]);
  expect(settingsOf(await readRecipe(join(out, "tiller-0-pg-w0.png")))).toEqual(expected);
});

test("OpenAI's form", async () => {
  const { data } = await post("/v1/images/generations", { prompt, adapters: [{ name: "cat" }] });
  expect(settingsOf(await recipeOf(data[0].b64_json))).toEqual(expected);
});

test("the community's form", async () => {
  const { images } = await post("/sdapi/v1/txt2img", { prompt: `${prompt} <lora:cat:1>` });
  expect(settingsOf(await recipeOf(images[0]))).toEqual(expected);
});

test("Studio's page, before anything is drawn", async () => {
  const ask = async (query: string) => (await fetch(new URL(`/api/defaults?${query}`, studio.url))).json();
  expect(await ask("model=dinghy&adapter=cat")).toMatchObject(expected);
  expect(await ask("model=&adapter=")).toMatchObject({ ...expected, guidance: "cfg", omega: 0.6 });
  expect((await fetch(new URL("/api/defaults?adapter=none", studio.url))).status).toBe(404);
});

test("an experiment, where its ways of fine-tuning agree about omega", async () => {
  const guidance = [{ method: "cfg" }, { method: "pg" }];
  const asked = (...personalisation: object[]) =>
    wholeExperiment(parseExperiment({ name: "x", personalisation, guidance }));
  expect(await asked({ adapters: [adapter] }, { method: "class-diffusion" })).toMatchObject({
    steps: 20,
    sampler: "ddim",
    guidance: [
      { method: "cfg", scale: [2.5] },
      { method: "pg", scale: [2.5], omega: [0] },
    ],
  });
  await expect(asked({ method: "dreambooth" }, { method: "class-diffusion" })).rejects.toEqual(
    refusal("experiment-invalid", "omega", "0.6, 0"),
  );
});
