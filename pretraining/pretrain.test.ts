/** The inputs of pretraining (vocabulary, batches, networks), and that each stage's loss falls. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Pipeline } from "../src/pipelines/pipeline.ts";
import { startEngine } from "../src/runtime/index.ts";
import { newAdamWState } from "../src/training/optimise/adamw.ts";
import { optimise } from "../src/training/optimise/optimise.ts";
import { dataOf } from "../src/training/optimise/tensor-values.ts";
import { captionOf, individualOf, render, subjectOf, subjects, themesOf } from "../src/world/index.ts";
import { autoencoder } from "./autoencoder.ts";
import { clip } from "./clip.ts";
import { finerJudge } from "./finer-judge.ts";
import { finerViT } from "./finer-vit.ts";
import { judgingClip } from "./judging-clip.ts";
import { compileObjective, pretrain } from "./pretrain.ts";
import { refine } from "./refine.ts";
import { worldSample } from "./sampling.ts";
import type { Stage, Workshop } from "./stage.ts";
import { worldTokens } from "./tokens.ts";
import { unet } from "./unet.ts";
import { vit } from "./vit.ts";

test("every word of a caption is one token, and no caption is truncated", () => {
  const { encode, end } = worldTokens();
  for (const noun of subjects.keys()) {
    for (const [, theme] of themesOf(subjectOf(noun))) {
      for (let seed = 0; seed < 4; seed++) {
        const caption = captionOf(noun, theme, seed);
        const ids = encode(caption);
        expect(ids.indexOf(end) - 1, caption).toBe(caption.split(" ").length);
        expect(ids).toHaveLength(77);
      }
    }
  }
});

test("samples depend only on their index; held-out ones never occur in training", () => {
  const [a, b] = [worldSample(5, "training"), worldSample(5, "training")];
  expect(a).toEqual(b);
  const seeds = (set: "training" | "held out") => Array.from({ length: 300 }, (_, i) => worldSample(i, set).seed);
  expect(Math.max(...seeds("training"))).toBeLessThan(Math.min(...seeds("held out")));
  expect(render(individualOf("cat", 1), undefined, 2)).toBe(render(individualOf("cat", 1), undefined, 2));
});

test("the stages in order make a model that opens and draws; a stopped stage resumes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-pretrain-"));
  const options = { workFolder: join(folder, "work"), modelFolder: join(folder, "model"), threads: 2 };
  const short = (stage: Stage, steps: number): Stage => ({
    ...stage,
    settings: { ...stage.settings, steps, schedule: "constant" },
  });
  const run = async (build: (workshop: Workshop) => Stage | Promise<Stage>) => {
    const steps: number[] = [];
    for await (const { step } of pretrain(build, options)) steps.push(step);
    return steps;
  };
  try {
    expect(await run(() => short(autoencoder, 1))).toEqual([1]);
    expect(await run(() => short(clip, 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await judgingClip(workshop), 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await vit(workshop), 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await unet(workshop), 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await refine(workshop), 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await finerJudge(workshop), 1))).toEqual([1]);
    expect(await run(async (workshop) => short(await finerViT(workshop), 1))).toEqual([1]);
    const pipeline = await Pipeline.load(options.modelFolder, { device: "cpu" });
    try {
      const kinds: string[] = [];
      for await (const event of pipeline.generate({ prompt: "a cat in the snow", steps: 2 })) kinds.push(event.type);
      expect(kinds).toEqual(["step", "step", "picture"]);
    } finally {
      await pipeline.close();
    }
    // Repeating the run has nothing left to do.
    expect(await run(() => short(clip, 1))).toEqual([]);

    // Without checkpoints, as on another machine, a stage can start a round from the existing network.
    const network = join(options.modelFolder, "clip", "model.safetensors");
    const before = await readFile(network);
    const still = short(clip, 1);
    const going = pretrain(() => ({ ...still, settings: { ...still.settings, learningRate: 0 }, round: 2 }), {
      ...options,
      workFolder: join(folder, "elsewhere"),
      goOn: true,
    });
    const losses: number[] = [];
    for await (const { loss } of going) losses.push(loss);
    expect(losses).toHaveLength(2);
    expect(before.equals(await readFile(network))).toBe(true);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe.each([
  ["the autoencoder", autoencoder],
  ["CLIP", clip],
])("%s", (_, stage) => {
  test("starts near chance and learns from its first batch", async () => {
    const engine = await startEngine({ threads: 2 });
    try {
      const values = stage.start();
      const state = newAdamWState(dataOf(values));
      const objective = await compileObjective([engine], stage, values);
      const losses: number[] = [];
      const settings = { ...stage.settings, steps: 6, warmup: 0, schedule: "constant", learningRate: 5e-5 } as const;
      for await (const { loss } of optimise(values, state, () => objective(0), settings)) losses.push(loss);
      expect(losses.every(Number.isFinite)).toBe(true);
      expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    } finally {
      await engine.close();
    }
  });
});
