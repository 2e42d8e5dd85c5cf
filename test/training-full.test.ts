/** Full fine-tunes: a network of its own, to be drawn with and steered between it and its base. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFloat32 } from "../src/bytes/safetensors.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import {
  type PictureRequest,
  Pipeline,
  readSafetensors,
  type TrainingEvent,
  type TrainingMethodName,
  type TrainingRequest,
  train,
} from "../src/index.ts";
import { runFolderOf } from "../src/internal.ts";
import { normalValues } from "../src/random/streams.ts";
import { float32, startEngine } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { networkTensors } from "../src/training/objective/network-tensors.ts";
import { buildObjective } from "../src/training/objective/objective.ts";
import { trainingTexts } from "../src/training/objective/texts.ts";
import { initialValues, type Trained } from "../src/training/objective/trained.ts";
import { fillSettings } from "../src/training/run/options.ts";
import { saveNetwork } from "../src/training/run/save-network.ts";
import { planTraining } from "../src/training/run/training-plan.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const model = fixture("pipelines/sd15");
let folder: string;
let images: string;
/** A whole run and its events. */
let asked: TrainingRequest;
let events: TrainingEvent[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-full-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  images = join(folder, "images");
  await mkdir(images);
  for (const background of ["red", "teal", "gold"]) {
    const picture = sharp({ create: { width: 64, height: 64, channels: 3, background } });
    await picture.toFile(join(images, `${background}.png`));
    await writeFile(join(images, `${background}.txt`), `a ${background} wall`);
  }
  asked = request("whole");
  events = await run(asked);
});
afterAll(() => rm(folder, { recursive: true }));

const request = (out: string, more: Partial<TrainingRequest> = {}): TrainingRequest => ({
  ...{ model, images, out: join(folder, out), steps: 6, batch: 2, learningRate: 1e-3, checkpointEvery: 2 },
  ...more,
});

async function run(one: TrainingRequest, { method = "full" as TrainingMethodName, stopAt = 0 } = {}) {
  const events: TrainingEvent[] = [];
  const controller = new AbortController();
  for await (const event of train(method, one, { device: "cpu", signal: controller.signal })) {
    events.push(event);
    if (event.type === "step" && event.step === stopAt) controller.abort();
  }
  return events;
}

const weightsOf = (out: string) => join(out, "unet", "diffusion_pytorch_model.safetensors");

async function pictureOf(pipeline: Pipeline, more: Partial<PictureRequest>): Promise<Uint8Array> {
  for await (const event of pipeline.generate({ prompt: "a red wall", steps: 3, ...more })) {
    if (event.type === "picture") return event.data;
  }
  throw new Error("no picture");
}

const wholeOf = (source: Model): Trained => ({
  ...{ lowRank: new Map(), rank: 4, alpha: 4, vectors: 0 },
  matrices: networkTensors(source),
});

test("every tensor of the U-Net is trained, and written in float16 with its config", async () => {
  expect(events.at(-1)).toMatchObject({ type: "saved", step: 6, adapters: [], copies: [], network: asked.out });
  expect((await readdir(join(asked.out, "unet"))).sort()).toEqual([
    "config.json",
    "diffusion_pytorch_model.safetensors",
  ]);
  const read = async (file: string) => JSON.parse(await readFile(file, "utf8"));
  expect(await read(join(asked.out, "unet", "config.json"))).toEqual(await read(join(model, "unet", "config.json")));
  const { tensors: before } = await readSafetensors(weightsOf(model));
  const { tensors: after, metadata } = await readSafetensors(weightsOf(asked.out));
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
  expect(JSON.parse(metadata.tiller!)).toMatchObject({ recipe: "full", steps: 6, batch: 2 });
  for (const [name, ref] of after) {
    expect([ref.dtype, ref.shape]).toEqual(["float16", before.get(name)!.shape]);
    const [was, is] = [await readFloat32(before.get(name)!), await readFloat32(ref)];
    // AdamW moves each element by about the learning rate in each step, which is more than float16's rounding of such weights.
    expect(Math.max(...is.map((value, i) => Math.abs(value - was[i]!))), name).toBeGreaterThan(1e-3);
  }
});

test.each(["sana-pipeline/model", "sdxl-pipeline/model"])(
  "the gradient of %s is its loss's slope, in a direction of all tensors",
  async (name) => {
    const source = await openModel(fixture(name));
    const engine = await startEngine({ threads: 2 });
    try {
      const trained = wholeOf(source);
      const values = await initialValues(source.components, trained, {}, 0);
      const resolution = 2 * source.defaults.sideMultiple;
      const tokenizer = await loadTokenizer(source.tokenizerFolder, source.secondTokenizerFolder);
      const planes = { size: resolution, data: normalValues(0, "picture", 0, 3 * resolution ** 2) };
      const sizes = { width: resolution, height: resolution };
      const picture = {
        planes: async () => planes,
        prompt: "a cat",
        conditions: source.denoiser.conditions?.(sizes, "cond"),
      };
      const building = buildObjective({
        ...{ engine, model: source, trained, values, resolution },
        settings: fillSettings("full", { ...request("slope"), batch: 1 }),
        sources: [{ purpose: "subject", flip: false, augmentation: false, pictures: [picture] }],
        texts: trainingTexts(source, tokenizer, new Map()),
      });
      let next = await building.next();
      while (!next.done) next = await building.next();
      const objective = next.value;
      const { gradients } = await objective(0);
      expect([...gradients.keys()].sort()).toEqual([...values.keys()].sort());
      // Steps along the sign of each gradient: all tensors add to the slope, none cancels another.
      const step = 2e-5;
      let slope = 0;
      for (const data of gradients.values()) for (const value of data) slope += Math.abs(value);
      const lossAt = async (by: number): Promise<number> => {
        for (const [key, gradient] of gradients) {
          const data = values.get(key)!.data as Float32Array;
          for (let i = 0; i < data.length; i++) data[i] = data[i]! + by * Math.sign(gradient[i]!);
        }
        return (await objective(0)).loss;
      };
      const above = await lossAt(step);
      const below = await lossAt(-2 * step);
      // The loss's third derivative over so short a step, and float32's rounding of two losses.
      expect(Math.abs((above - below) / (2 * step) / slope - 1)).toBeLessThan(0.02);
    } finally {
      await engine.close();
    }
  },
);

test("it draws with the model as its base, and omega moves between the two", async () => {
  const [tuned, base] = [await Pipeline.load(asked.out, { base: model, device: "cpu" }), await Pipeline.load(model)];
  try {
    expect(tuned.defaults.guidance).toBe("pg");
    const cfg = await pictureOf(tuned, { guidance: "cfg" });
    expect(cfg).not.toEqual(await pictureOf(base, { guidance: "cfg" }));
    expect(await pictureOf(tuned, { guidance: "pg", omega: 1 })).toEqual(cfg);
    expect(await pictureOf(tuned, { guidance: "pg", omega: 0 })).not.toEqual(cfg);
  } finally {
    await tuned.close();
    await base.close();
  }
});

test("an interrupted run saves its network and resumes to the same file, byte for byte", async () => {
  const parted = request("parted");
  await expect(run(parted, { stopAt: 3 })).rejects.toThrow(/abort/i);
  expect(existsSync(weightsOf(parted.out))).toBe(true);
  await expect(run(parted)).rejects.toThrow(refusal("run-exists", runFolderOf(parted.out), "--resume"));
  const resumed = await run({ ...parted, resume: true });
  expect(resumed.find((event) => event.type === "step")).toMatchObject({ step: 4 });
  expect((await readFile(weightsOf(parted.out))).equals(await readFile(weightsOf(asked.out)))).toBe(true);
});

test("samples are drawn with the network so far", async () => {
  const sampled = request("sampled", { steps: 2, sampleEvery: 1, samplePrompts: ["a red wall"] });
  const samples = (await run(sampled)).flatMap((event) => (event.type === "sample" ? [event.file] : []));
  expect(samples).toHaveLength(2);
  const [first, second] = await Promise.all(samples.map((file) => readFile(file)));
  expect(first!.equals(second!)).toBe(false);
});

describe("a picture without a caption", () => {
  const bare = async (name: string): Promise<string> => {
    const own = join(folder, name);
    await cp(images, own, { recursive: true });
    await rm(join(own, "teal.txt"));
    return own;
  };

  test("is refused before anything is computed", async () => {
    const without = request("bare", { images: await bare("bare-images") });
    await expect(run(without)).rejects.toThrow(refusal("text-missing", "teal.png", ".txt", "--prompt"));
    expect(existsSync(weightsOf(without.out))).toBe(false);
  });

  test("takes --prompt, with token and class as in DreamBooth", async () => {
    const own = { images: await bare("named-images"), steps: 1, prompt: "a {token} {class}" };
    const done = await run(request("named", { ...own, token: "sks", class: "wall" }));
    expect(done.at(-1)).toMatchObject({ type: "saved", step: 1 });
    await expect(run(request("unnamed", own))).rejects.toThrow(refusal("setting-invalid", "token", "{token}"));
  });
});

test.each([
  [{ out: "x.safetensors" }, "setting-invalid", "folder"],
  [{ out: "" }, "setting-invalid", "out"],
  [{ textEncoder: true }, "setting-invalid", "low-rank"],
  [{ prior: true }, "setting-invalid", "class"],
  [{ captionDropout: 1.5 }, "setting-invalid", "captionDropout"],
] as const)("%j is refused", async (wrong, code, fact) => {
  await expect(run({ ...request("refused"), ...wrong })).rejects.toThrow(refusal(code, fact));
});

test("a whole model's network is not replaced", async () => {
  const out = join(folder, "copied");
  await cp(model, out, { recursive: true });
  await expect(run(request("copied"))).rejects.toThrow(refusal("file-not-written", out, "--out"));
});

test("methods that train an adapter still need their token and class", async () => {
  const adapter = request("adapter.safetensors", { class: "wall" });
  await expect(run(adapter, { method: "dreambooth" })).rejects.toThrow(
    refusal("setting-invalid", "token", "dreambooth"),
  );
});

test("a value beyond float16 is refused before anything is written", async () => {
  const source = await openModel(model);
  const trained = wholeOf(source);
  const values = await initialValues(source.components, trained, {}, 0);
  const [name, { shape, data }] = [...values][3]!;
  values.set(name, float32(shape, (data as Float32Array).slice().fill(65_520)));
  const out = join(folder, "beyond");
  await expect(saveNetwork(out, source.components, trained, values, {})).rejects.toThrow(
    refusal("training-diverged", name, "float16"),
  );
  expect(existsSync(out)).toBe(false);
});

test("its plan counts weights, gradients and two moments of each tensor", async () => {
  const source = await openModel(model);
  const trained = wholeOf(source);
  const plan = (one: Trained) =>
    planTraining(source, { device: "cpu", precision: "float32" }, { trained: one, resolution: 64, rows: 1 }, 1e12);
  const stepOf = (one: Trained) => plan(one).phases.find(({ name }) => name === "training step")!.bytes;
  const elements = [...source.components.get("unet")!.weights.values()].reduce((n, ref) => n + ref.byteLength / 4, 0);
  // Of fixed weights the plan counts 7 bytes an element, of trained ones the input and the gradient too.
  const frozen = stepOf({ ...trained, matrices: new Map() });
  expect(stepOf(trained) - frozen).toBeGreaterThan(4 * 4 * elements);
});
