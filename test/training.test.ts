/** Whole training runs on the tiny pipeline: results, files, interruption and resuming. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import {
  Pipeline,
  readSafetensors,
  type TrainingEvent,
  type TrainingMethodName,
  type TrainingRequest,
  train,
} from "../src/index.ts";
import { runFolderOf } from "../src/internal.ts";
import { normalValues } from "../src/random/streams.ts";
import { readRecipe } from "../src/recipe/read-recipe.ts";
import { type Engine, startEngine } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { adapterMethodNames } from "../src/training/methods/index.ts";
import { initialEmbeddings } from "../src/training/objective/learned-token.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { compileTerms } from "../src/training/objective/terms.ts";
import { encodeTexts, trainingTexts } from "../src/training/objective/texts.ts";
import {
  initialValues,
  projections,
  type Trained,
  textMatrices,
  trainsText,
} from "../src/training/objective/trained.ts";
import { newAdamWState } from "../src/training/optimise/adamw.ts";
import { optimise } from "../src/training/optimise/optimise.ts";
import { dataOf } from "../src/training/optimise/tensor-values.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const model = fixture("pipelines/sd15");
let folder: string;
let images: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-training-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache"); // for class images
  images = join(folder, "images");
  await mkdir(images);
  for (const [name, background] of [
    ["one.jpg", "red"],
    ["two.png", "teal"],
    ["three.webp", "gold"],
  ] as const) {
    await sharp({ create: { width: 90, height: 70, channels: 3, background } }).toFile(join(images, name));
  }
});
afterAll(() => rm(folder, { recursive: true }));

const request = (out: string, more: Partial<TrainingRequest> = {}): TrainingRequest => ({
  model,
  images,
  token: "<cat>",
  class: "cat",
  out: join(folder, out),
  steps: 12,
  priorCount: 2,
  checkpointEvery: 5,
  classImages: join(folder, "class"),
  ...more,
});

async function run(method: TrainingMethodName, asked: TrainingRequest, signal?: AbortSignal): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  for await (const event of train(method, asked, { device: "cpu", signal })) events.push(event);
  return events;
}

const saved = (events: readonly TrainingEvent[]) => events.find((event) => event.type === "saved")!;

async function pictureWith(adapters: readonly string[], prompt: string): Promise<Uint8Array> {
  const pipeline = await Pipeline.load(model, { adapters, device: "cpu" });
  try {
    for await (const event of pipeline.generate({ prompt, steps: 3 })) if (event.type === "picture") return event.data;
  } finally {
    await pipeline.close();
  }
  throw new Error("no picture");
}

describe.each(adapterMethodNames)("%s", (method) => {
  test("writes a usable adapter, a log, a loss curve and a checkpoint", async () => {
    const asked = request(`${method}.safetensors`, { learningRate: 1e-2 });
    const events = await run(method, asked);
    const steps = events.filter((event) => event.type === "step");
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    const { adapters, copies } = saved(events);
    for (const file of [...adapters, ...copies]) expect(existsSync(file)).toBe(true);
    const prompt = "a <cat> cat in the snow";
    expect(await pictureWith(adapters, prompt)).not.toEqual(await pictureWith([], prompt));
    const log = (await readFile(join(runFolderOf(asked.out), "log.jsonl"), "utf8")).trim().split("\n");
    expect(log.map((line) => JSON.parse(line).loss)).toEqual(steps.map(({ loss }) => loss));
    expect(await readFile(join(runFolderOf(asked.out), "loss.svg"), "utf8")).toMatch(/^<svg/);
  });
});

describe("a run", () => {
  test("that was interrupted saves its adapter and resumes to the same file, byte for byte", async () => {
    const whole = request("whole.safetensors", { textEncoder: true });
    await run("dreambooth-ti", whole);
    const parted = request("parted.safetensors", { textEncoder: true });
    const controller = new AbortController();
    const interrupted = (async () => {
      for await (const event of train("dreambooth-ti", parted, { device: "cpu", signal: controller.signal })) {
        if (event.type === "step" && event.step === 7) controller.abort();
      }
    })();
    await expect(interrupted).rejects.toThrow(/abort/i);
    expect(existsSync(parted.out)).toBe(true);
    const events = await run("dreambooth-ti", { ...parted, resume: true });
    expect(events.filter((event) => event.type === "step")[0]).toMatchObject({ step: 8 });
    for (const ending of [".safetensors", "-embedding.safetensors", "-clip_l.safetensors"]) {
      const file = (stem: string) => readFile(join(folder, `${stem}${ending}`));
      expect((await file("parted")).equals(await file("whole"))).toBe(true);
    }
  });

  test("that was killed resumes to the same file, byte for byte", async () => {
    const out = join(folder, "killed.safetensors");
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const words = `--model ${model} --images ${images} --token <cat> --class cat --steps 1000000 --prior-count 2 --checkpoint-every 5 --class-images ${join(folder, "class")} --device cpu --out ${out}`;
    const child = spawn(process.execPath, [main, "train", "dreambooth", ...words.split(" ")], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    const checkpoint = join(runFolderOf(out), "checkpoint.safetensors");
    while (child.exitCode === null && !existsSync(checkpoint)) await sleep(5);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(out)).toBe(false);
    // It may have passed its first checkpoint before it was killed.
    const kept = Number((await readSafetensors(checkpoint)).metadata.step);
    const steps = kept + 12;
    const events = await run("dreambooth", request("killed.safetensors", { steps, resume: true }));
    expect(events.filter((event) => event.type === "step")[0]!.step).toBe(kept + 1);
    const whole = request("unkilled.safetensors", { steps });
    await run("dreambooth", whole);
    expect((await readFile(out)).equals(await readFile(whole.out))).toBe(true);
    const log = (await readFile(join(runFolderOf(out), "log.jsonl"), "utf8")).trim().split("\n");
    expect(log.map((line) => JSON.parse(line).step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  });

  test("does not overwrite another, and is not resumed with other settings", async () => {
    const asked = request("guarded.safetensors", { steps: 2 });
    await run("dreambooth", asked);
    await expect(run("dreambooth", asked)).rejects.toThrow(refusal("run-exists", runFolderOf(asked.out), "--resume"));
    await expect(run("dreambooth", { ...asked, resume: true, rank: 8 })).rejects.toThrow(
      refusal("resume-mismatch", "rank", "4", "8"),
    );
    const events = await run("dreambooth", { ...asked, resume: true, steps: 3 });
    expect(events.filter((event) => event.type === "step").map(({ step }) => step)).toEqual([3]);
  });

  test("is not resumed with fewer steps than done; with as many, there is nothing left to do", async () => {
    const asked = request("longer.safetensors", { steps: 3, resume: true });
    await run("dreambooth", asked);
    await expect(run("dreambooth", { ...asked, steps: 2 })).rejects.toThrow(
      refusal("resume-mismatch", runFolderOf(asked.out), "3", "2", "--steps"),
    );
    expect(saved(await run("dreambooth", asked))).toMatchObject({ step: 3 });
  });

  test("is refused while another trains the same adapter, however that one ends", async () => {
    const asked = request("shared.safetensors", { steps: 2 });
    const first = train("dreambooth", asked, { device: "cpu" });
    await first.next();
    const lock = join(runFolderOf(asked.out), "lock");
    await expect(run("dreambooth", asked)).rejects.toThrow(refusal("folder-in-use", runFolderOf(asked.out), lock));
    await first.return();
    await expect(run("dreambooth", { ...asked, images: "nowhere" })).rejects.toThrow(
      refusal("pictures-missing", "nowhere"),
    );
    expect(saved(await run("dreambooth", asked))).toMatchObject({ step: 2 });
    expect(existsSync(lock)).toBe(false);
  });

  test("whose output path is a folder is refused before class images are drawn", async () => {
    const asked = request("folder.safetensors", { classImages: undefined });
    await mkdir(asked.out);
    await expect(run("dreambooth", asked)).rejects.toThrow(refusal("file-not-written", asked.out, "--out"));
    expect(await readdir(runFolderOf(asked.out))).toEqual([]);
  });

  test("whose texts all lack the learned token is refused before class images are drawn", async () => {
    const asked = request("untaught.safetensors", { prompt: "a photo of a {class}", classImages: undefined });
    await expect(run("dreambooth-ti", asked)).rejects.toThrow(
      refusal("caption-without-token", "a photo of a cat", "<cat>", "{token}"),
    );
    expect(await readdir(runFolderOf(asked.out))).toEqual([]);
    const captioned = join(folder, "captioned");
    await cp(images, captioned, { recursive: true });
    for (const name of ["one", "two", "three"]) await writeFile(join(captioned, `${name}.txt`), "a cat asleep");
    await expect(run("textual-inversion", { ...asked, images: captioned })).rejects.toThrow(
      refusal("caption-without-token", captioned, "<cat>"),
    );
    await writeFile(join(captioned, "two.txt"), "a <CAT> asleep");
    const events = await run("textual-inversion", { ...asked, images: captioned, steps: 1 });
    expect(events.filter((event) => event.type === "warning").map(({ message }) => message)).toEqual([
      `2 of 3 pictures do not train <cat>, because their text lacks it, such as that of ${join(captioned, "one.jpg")}`,
    ]);
  });

  test("is not resumed with changed pictures or captions of the same names", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    const paint = (background: string) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background } }).toFile(join(own, "one.png"));
    await paint("red");
    const asked = request("repainted.safetensors", { steps: 2, images: own });
    await run("dreambooth", asked);
    await paint("blue");
    const again = { ...asked, resume: true, steps: 3 };
    await expect(run("dreambooth", again)).rejects.toThrow(refusal("resume-mismatch", "pictures or captions"));
    await paint("red");
    await writeFile(join(own, "one.txt"), "a <cat> cat asleep");
    await expect(run("dreambooth", again)).rejects.toThrow(refusal("resume-mismatch", "pictures or captions"));
    await rm(join(own, "one.txt"));
    expect(saved(await run("dreambooth", again))).toMatchObject({ step: 3 });
  });

  test("is not resumed with other given class images", async () => {
    const given = join(folder, "given");
    await mkdir(given);
    const paint = (background: string) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background } }).toFile(join(given, "any.png"));
    await paint("red");
    const asked = request("class-repainted.safetensors", { steps: 2, priorCount: 1, classImages: given });
    await run("dreambooth", asked);
    await paint("blue");
    const again = { ...asked, resume: true, steps: 3 };
    await expect(run("dreambooth", again)).rejects.toThrow(refusal("resume-mismatch", "class images"));
  });

  test("that stopped before its first checkpoint does not pass its class images to a run with other settings", async () => {
    const asked = request("early.safetensors", { steps: 2, classImages: undefined });
    const controller = new AbortController();
    const interrupted = (async () => {
      for await (const event of train("dreambooth", asked, { device: "cpu", signal: controller.signal })) {
        if (event.type === "doing" && event.what === "building the networks") controller.abort();
      }
    })();
    await expect(interrupted).rejects.toThrow(/abort/i);
    const prompts = async () => {
      const own = join(runFolderOf(asked.out), "class");
      const names = (await readdir(own)).filter((name) => name.endsWith(".png"));
      return Promise.all(names.map(async (name) => (await readRecipe(join(own, name))).request.prompt));
    };
    expect(await prompts()).toEqual(["a cat", "a cat"]);
    await run("dreambooth", { ...asked, classPrompt: "a tabby" });
    expect(await prompts()).toEqual(["a tabby", "a tabby"]);
  });

  test("draws class images in few steps, and reuses those of another subject's run", async () => {
    const told = async (out: string, more: Partial<TrainingRequest>) => {
      const events = await run("dreambooth", request(out, { steps: 2, classImages: undefined, ...more }));
      return events.filter((event) => event.type === "class-images");
    };
    const classPrompt = "a lynx";
    const drawn = await told("lynx.safetensors", { classPrompt });
    const plan = { count: 2, reused: 0, sampler: "dpm++", steps: 20, device: "cpu", precision: "float32" };
    expect(drawn).toEqual([
      { type: "class-images", ...plan },
      { type: "class-images", ...plan, seconds: expect.any(Number) },
    ]);
    const first = (out: string) => join(runFolderOf(join(folder, out)), "class", "class-0000.png");
    expect((await readRecipe(first("lynx.safetensors"))).request).toMatchObject({ sampler: "dpm++", steps: 20 });
    const again = await told("other.safetensors", { classPrompt, token: "<other>" });
    expect(again).toMatchObject([{ count: 0, reused: 2 }]);
    expect(await readFile(first("other.safetensors"))).toEqual(await readFile(first("lynx.safetensors")));
    // Seeds count up from the run's, so runs with other seeds share only those that overlap.
    expect(await told("seed.safetensors", { classPrompt, seed: 1 })).toMatchObject([{ count: 1, reused: 1 }, {}]);
    expect(await told("size.safetensors", { classPrompt, resolution: 32 })).toMatchObject([{ count: 2 }, {}]);
  });

  test("warns if given class images were drawn with another prompt", async () => {
    await run("dreambooth", request("cats.safetensors", { steps: 2 }));
    const events = await run("dreambooth", request("tabbies.safetensors", { steps: 2, classPrompt: "a tabby" }));
    expect(events.filter((event) => event.type === "warning").map(({ message }) => message)).toEqual([
      expect.stringMatching(/class-0000\.png was drawn with the prompt "a cat" instead of "a tabby"/),
    ]);
  });

  test("that diverges stops without a broken adapter", async () => {
    const asked = request("diverged.safetensors", { learningRate: 1e38, prior: false });
    await expect(run("custom-diffusion", asked)).rejects.toThrow(refusal("training-diverged", "step", "1e+38"));
    expect(existsSync(asked.out)).toBe(false);
  });

  test("reports progress with one total over class images, steps and samples, resumed runs included", async () => {
    const asked = request("paced.safetensors", {
      steps: 4,
      sampleEvery: 2,
      classImages: join(folder, "class-paced"),
      resume: true,
    });
    // Two class images of twenty steps, four steps, and two samples of twenty-five.
    const total = 2 * 20 + 4 + 2 * 25;
    const pacesOf = (events: TrainingEvent[]) =>
      events.flatMap((event) => ("pace" in event && event.pace ? [event.pace] : []));
    const paces = pacesOf(await run("dreambooth", asked));
    expect(new Set(paces.map((pace) => pace.total))).toEqual(new Set([total]));
    const done = paces.map((pace) => pace.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect([done[0], done.at(-1)]).toEqual([0, total]);
    // Nothing is timed yet.
    expect(paces[0]!.secondsLeft).toBeUndefined();

    // Resumed, it draws no class images and starts where it stopped.
    const resumed = pacesOf(await run("dreambooth", { ...asked, steps: 6 }));
    expect(resumed.map((pace) => pace.total)).toEqual(resumed.map(() => 6 + 3 * 25));
    expect([resumed[0]!.done, resumed.at(-1)!.done]).toEqual([4 + 2 * 25, 6 + 3 * 25]);
  });

  test("draws samples during training", async () => {
    const asked = request("sampled.safetensors", { steps: 4, sampleEvery: 2, samplePrompts: ["a <cat> cat", "a cat"] });
    const events = await run("dreambooth-ti", asked);
    expect(events.filter((event) => event.type === "sample").map(({ step }) => step)).toEqual([2, 2, 4, 4]);
    expect((await readdir(join(runFolderOf(asked.out), "samples"))).sort()).toEqual([
      "step-000002-0.png",
      "step-000002-1.png",
      "step-000004-0.png",
      "step-000004-1.png",
    ]);
  });

  test("that is interrupted while drawing samples saves its adapter and resumes", async () => {
    const asked = request("unsampled.safetensors", { steps: 4, sampleEvery: 2, checkpointEvery: 100 });
    const controller = new AbortController();
    const events: TrainingEvent[] = [];
    const interrupted = (async () => {
      for await (const event of train("dreambooth", asked, { device: "cpu", signal: controller.signal })) {
        events.push(event);
        // In the next turn of the event loop, when the samples of step 2 are due.
        if (event.type === "step" && event.step === 2) setImmediate(() => controller.abort());
      }
    })();
    await expect(interrupted).rejects.toThrow(/abort/i);
    expect(saved(events)).toMatchObject({ step: 2 });
    expect(existsSync(asked.out)).toBe(true);
    const more = await run("dreambooth", { ...asked, resume: true });
    expect(more.filter((event) => event.type === "step").map(({ step }) => step)).toEqual([3, 4]);
  });

  test("whose samples fail keeps its checkpoint", async () => {
    const asked = request("unwritable.safetensors", { steps: 2, sampleEvery: 2 });
    await mkdir(runFolderOf(asked.out));
    const inTheWay = join(runFolderOf(asked.out), "samples");
    await writeFile(inTheWay, "a file, not a folder");
    await expect(run("dreambooth", asked)).rejects.toThrow(refusal("file-not-written", inTheWay));
    await rm(inTheWay);
    const events = await run("dreambooth", { ...asked, resume: true });
    expect(events.filter((event) => event.type === "step")).toEqual([]);
    expect(saved(events)).toMatchObject({ step: 2 });
  });

  test("augments pictures for any method if requested", async () => {
    const events = await run("dreambooth", request("augmented.safetensors", { augmentation: true, flip: true }));
    expect(events.filter((event) => event.type === "step")).toHaveLength(12);
  });

  test("accumulates gradients over several evaluations", async () => {
    const accumulated = await run("dreambooth", request("sum.safetensors", { steps: 1, accumulate: 2 }));
    const batched = await run("dreambooth", request("batch.safetensors", { steps: 1, batch: 2 }));
    const [a, b] = [accumulated, batched].map((events) => events.find((event) => event.type === "step")!);
    // The draws are the same; only the summation order differs.
    expect(a!.loss).toBeCloseTo(b!.loss, 5);
    expect(a!.gradientNorm).toBeCloseTo(b!.gradientNorm, 5);
  });

  test.each([
    [{ token: "two words" }, "setting-invalid", "token"],
    [{ out: "adapter.bin" }, "setting-invalid", ".safetensors"],
    [{ resolution: 30 }, "setting-invalid", "resolution"],
    [{ images: "nowhere" }, "pictures-missing", "nowhere"],
    [{ vectors: 2 }, "setting-invalid", "vectors"],
  ] as const)("with %j is refused before anything is computed", async (wrong, code, fact) => {
    await expect(run("dreambooth", { ...request("refused.safetensors"), ...wrong })).rejects.toThrow(
      refusal(code, fact),
    );
  });
});

/**
 * One picture, one draw of noise, 200 steps. The tiny network's frozen last layer cannot output values as large as unit noise (at
 * best a fifth of the loss), so the noise is scaled down to test only the training.
 */
describe("on one picture the loss falls at least tenfold in 200 steps:", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await startEngine({ threads: 2 });
  });
  afterAll(() => engine.close());

  test.each(["dreambooth", "dreambooth-ti", "class-diffusion"] as const)("%s", async (method) => {
    const source = await openModel(model);
    const tokenizer = await loadTokenizer(source.tokenizerFolder);
    const lora = method !== "class-diffusion";
    const vectors = { dreambooth: 0, "dreambooth-ti": 2, "class-diffusion": 1 }[method];
    const trained: Trained = {
      lowRank: new Map(lora ? [["unet", projections(source, "unet")]] : []),
      rank: 4,
      alpha: 4,
      matrices: lora ? new Map() : textMatrices(source),
      vectors,
    };
    const texts = trainingTexts(
      source,
      tokenizer,
      new Map([["text_encoder", new Map(vectors > 0 ? [["<cat>", vectors]] : [])]]),
    );
    const start = { vectors, initializer: "random", noun: "cat", seed: 1 } as const;
    const learned = vectors > 0 ? await initialEmbeddings(source, tokenizer, start) : {};
    const values = await initialValues(source.components, trained, learned, 1);
    const terms = await compileTerms(engine, source, trained, values, noisingOf(source.schedule), {
      semantic: method === "class-diffusion",
    });
    const tokens = texts.tokens("a <cat> cat");
    const text = trainsText(source, trained)
      ? tokens
      : (await encodeTexts(engine, source, new Map([["", tokens]]))).get("")!;
    const sample = {
      clean: normalValues(1, "picture", 0, 64),
      noise: normalValues(1, "noise", 0, 64).map((v) => 0.3 * v),
      timestep: 500,
      weights: new Float32Array(16).fill(1 / 64),
      text,
    };
    const state = newAdamWState(dataOf(values));
    const settings = {
      steps: 200,
      accumulate: 1,
      learningRate: 3e-2,
      schedule: "cosine",
      warmup: 0,
      weightDecay: 0,
      clip: 1,
    } as const;
    const losses: number[] = [];
    for await (const { loss } of optimise(values, state, () => terms.denoising([sample], [4, 4, 4]), settings)) {
      losses.push(loss);
    }
    expect(losses[0]! / losses.at(-1)!).toBeGreaterThan(10);
  });
});
