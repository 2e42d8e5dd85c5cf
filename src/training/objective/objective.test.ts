/** The weight of a picture in a run's loss: if the network predicts 0, the loss is the weighted square of the target. */
import { beforeAll, expect, test } from "vitest";
import { fixture } from "../../../test/fixtures.ts";
import type { Model } from "../../families/family.ts";
import { openModel } from "../../families/open-model.ts";
import { normalValues, randomStream } from "../../random/streams.ts";
import { type Engine, float32, type Session, type Tensor } from "../../runtime/index.ts";
import { loadTokenizer } from "../../text/tokenizer.ts";
import { augment } from "../data/augmentation.ts";
import type { Source } from "../data/draws.ts";
import { fillSettings, type TrainingRequest } from "../run/options.ts";
import { type Noising, noisingOf } from "./noising.ts";
import { buildObjective } from "./objective.ts";
import { trainingTexts } from "./texts.ts";

// Saved by Diffusers: parity/make_fixtures.py.
const model = fixture("pipelines/sd15");
const resolution = 32; // latents [4, 4, 4]
let source: Model;
let noising: Noising;
beforeAll(async () => {
  source = await openModel(model);
  noising = noisingOf(source.schedule);
});

/** Stubs every session that training compiles: moments and texts are zeros. */
const engine = {
  compile: async (name: string): Promise<Partial<Session>> => ({
    inputs: new Map(name === "training step" ? [["text", { shape: [1, 1, 8] }]] : []),
    release: async () => {},
    run: async (feeds) => {
      if (name === "encoder") return { encoded: float32([1, 8, 4, 4], new Float32Array(128)) };
      if (name === "text encoder") return { text: float32([1, 1, 8], new Float32Array(8)) };
      const { weights, target } = feeds as Record<string, Tensor>;
      const pixels = 16;
      let loss = 0;
      for (const [i, value] of target!.data.entries()) {
        const picture = Math.floor(i / (4 * pixels));
        loss += weights!.data[picture * pixels + (i % pixels)]! * value ** 2;
      }
      return { loss: float32([1], [loss]) };
    },
  }),
} as Partial<Engine> as Engine;

const black = { size: resolution, data: new Float32Array(3 * resolution ** 2).fill(-1) };
const pictures = (purpose: Source["purpose"], { prompt, augmentation }: { prompt: string; augmentation: boolean }) => ({
  purpose,
  pictures: [{ planes: async () => black, prompt }],
  flip: false,
  augmentation,
});

async function lossOf(more: Partial<TrainingRequest>, draw = 0): Promise<number> {
  const names = { model, images: "", token: "sks", class: "cat", out: "a.safetensors" };
  const settings = fillSettings("dreambooth", { ...names, ...more });
  const trained = {
    lowRank: new Map<string, Set<string>>(),
    rank: 4,
    alpha: 4,
    matrices: new Map<string, Set<string>>(),
    vectors: 0,
  };
  const texts = trainingTexts(source, await loadTokenizer(source.tokenizerFolder), new Map());
  const sources = [
    pictures("subject", settings),
    ...(settings.prior ? [pictures("class", { prompt: settings.classPrompt, augmentation: false })] : []),
  ];
  const parts = { engine, model: source, settings, trained, values: new Map(), sources, resolution, texts };
  const building = buildObjective(parts);
  let next = await building.next();
  while (!next.done) next = await building.next();
  return (await next.value(draw)).loss;
}

/** The mean square of a draw's noise, the target of the tiny pipeline. */
function meanSquare(purpose: Source["purpose"], draw = 0): number {
  const noise = normalValues(0, `noise of ${purpose}`, draw, 64);
  return noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length;
}

test("class images are weighted by the prior's weight, instance images by 1", async () => {
  const [subject, prior] = [meanSquare("subject"), meanSquare("class")];
  expect(await lossOf({ prior: false })).toBeCloseTo(subject, 5);
  for (const priorWeight of [0, 0.5, 1, 3]) {
    expect(await lossOf({ priorWeight })).toBeCloseTo(subject + priorWeight * prior, 5);
  }
});

test("min-SNR weighting applies to instance images only", async () => {
  const timestep = randomStream(0, "subject", 0).integer(noising.timesteps);
  // So low that it counts at every timestep.
  const snrGamma = 1e-3;
  const weight = noising.minSnrWeight(timestep, snrGamma);
  expect(weight).toBeLessThan(0.9);
  const [subject, prior] = [meanSquare("subject"), meanSquare("class")];
  expect(await lossOf({ prior: false, snrGamma })).toBeCloseTo(weight * subject, 5);
  expect(await lossOf({ snrGamma, priorWeight: 2 })).toBeCloseTo(weight * subject + 2 * prior, 5);
});

test("a batch's loss is the mean over its instance images plus the mean over its class images", async () => {
  const of = (purpose: Source["purpose"]) => (meanSquare(purpose, 0) + meanSquare(purpose, 1)) / 2;
  expect(await lossOf({ batch: 2 })).toBeCloseTo(of("subject") + of("class"), 5);
  // The next batch continues where this one ended.
  const next = (meanSquare("subject", 2) + meanSquare("subject", 3)) / 2;
  expect(await lossOf({ batch: 2, prior: false }, 1)).toBeCloseTo(next, 5);
});

test("an augmented picture's loss is summed over channels and averaged over the mask", async () => {
  // As Diffusers' train_custom_diffusion.py has it: (loss * mask).sum() / mask.sum(), the mask of one channel.
  let masked = 0;
  for (let draw = 0; draw < 10; draw++) {
    const random = randomStream(0, "subject", draw);
    random.integer(noising.timesteps);
    const { mask } = augment(black, 8, random);
    const counted = mask.reduce((sum, m) => sum + m, 0);
    if (counted < mask.length) masked++;
    const squares = normalValues(0, "noise of subject", draw, 64).map((value, i) => mask[i % 16]! * value ** 2);
    const expected = squares.reduce((sum, value) => sum + value, 0) / counted;
    expect(await lossOf({ prior: false, augmentation: true }, draw)).toBeCloseTo(expected, 4);
  }
  expect(masked).toBeGreaterThan(3);
});
