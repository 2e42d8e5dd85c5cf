/** What pretraining starts from: words, batches, networks; and that each stage's loss can be lowered. */
import { describe, expect, test } from "vitest";
import { startEngine } from "../../runtime/index.ts";
import { newAdamWState } from "../../training/adamw.ts";
import { optimise } from "../../training/optimise.ts";
import { captionOf, individualOf, render, subjectOf, subjects, themesOf } from "../index.ts";
import { autoencoder } from "./autoencoder.ts";
import { clip } from "./clip.ts";
import { compileObjective } from "./pretrain.ts";
import { worldSample } from "./sampling.ts";
import { worldTokens } from "./tokens.ts";
import { vit } from "./vit.ts";

test("every word of a caption is one token, and no caption is cut", () => {
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

test("samples are functions of their number; held-out ones are none of training's", () => {
  const [a, b] = [worldSample(5, "training"), worldSample(5, "training")];
  expect(a).toEqual(b);
  const seeds = (set: "training" | "held out") => Array.from({ length: 300 }, (_, i) => worldSample(i, set).seed);
  expect(Math.max(...seeds("training"))).toBeLessThan(Math.min(...seeds("held out")));
  expect(render(individualOf("cat", 1), undefined, 2)).toBe(render(individualOf("cat", 1), undefined, 2));
});

describe.each([
  ["the autoencoder", autoencoder],
  ["CLIP", clip],
  ["the ViT", vit],
])("%s", (_, stage) => {
  test("begins near chance and learns from its first batch", async () => {
    const engine = await startEngine({ threads: 2 });
    try {
      const values = stage.start();
      const state = newAdamWState(new Map([...values].map(([name, { data }]) => [name, data as Float32Array])));
      const objective = await compileObjective(engine, stage, values);
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
