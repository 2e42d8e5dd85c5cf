/** Losses, gradients and AdamW steps of SDXL LoRAs against PEFT and PyTorch's autograd: fixtures of parity/sdxl_training.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { compileTerms, type Evaluated, type Sample } from "../src/training/objective/terms.ts";
import { encodeTexts, trainingTexts } from "../src/training/objective/texts.ts";
import { projections, type Trained } from "../src/training/objective/trained.ts";
import { fixture, reference } from "./fixtures.ts";
import { followsPyTorch } from "./pytorch-training.ts";
import { numbersAt } from "./tensor-rows.ts";

interface Case {
  readonly name: string;
  readonly rank: number;
  readonly alpha: number;
  readonly learningRate: number;
  readonly batch: number;
  readonly prior?: number;
  readonly prediction?: "v_prediction";
  readonly text?: true;
  readonly vectors?: number;
  readonly prompts: readonly string[];
  /** Original height and width, crop from the top and the left, and the side twice. */
  readonly sizes: readonly (readonly number[])[];
}

const cases = JSON.parse(readFileSync(fixture("sdxl-pipeline/training.json"), "utf8")) as Case[];

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 2 });
});
afterAll(() => engine.close());

async function open({ name, rank, alpha, batch, prior, prediction, text, vectors = 0, prompts, sizes }: Case) {
  const model = await openModel(fixture("sdxl-pipeline/model"), { prediction });
  const tensor = await reference(`../sdxl-pipeline/training-${name}.safetensors`);
  const components = ["unet", ...(text ? ["text_encoder", "text_encoder_2"] : [])];
  const lowRank = new Map(components.map((component) => [component, projections(model, component)]));
  const trained: Trained = { lowRank, rank, alpha, matrices: new Map(), vectors };
  const values = new Map<string, Tensor>();
  for (const [component, paths] of lowRank) {
    for (const value of [...paths].flatMap((path) => [`${component}:${path}.down`, `${component}:${path}.up`]))
      values.set(value, await tensor(`initial ${value}`));
  }
  if (vectors > 0) for (const { input } of model.text.embeddings) values.set(input, await tensor(`initial ${input}`));

  const noising = noisingOf(model.schedule);
  const tokenizer = await loadTokenizer(model.tokenizerFolder, model.secondTokenizerFolder);
  const texts = trainingTexts(model, tokenizer, learnedOf(vectors));
  const tokens = new Map(prompts.map((prompt) => [prompt, texts.tokens(prompt)]));
  const encoded = text || vectors > 0 ? undefined : await encodeTexts(engine, model, tokens);
  const terms = await compileTerms(engine, model, trained, values, noising, { semantic: false });

  const [latents, noise, timesteps] = [await tensor("latents"), await tensor("noise"), await tensor("timesteps")];
  const [, , ...shape] = latents.shape as [number, number, number, number, number];
  const [, height, width] = shape;
  const elements = shape.reduce((a, b) => a * b, 1);
  const objective = (step: number): Promise<Evaluated> => {
    const samples = prompts.map((prompt, i): Sample => {
      const [originalHeight, originalWidth, top, left, side] = sizes[i] as [number, number, number, number, number];
      const conditions = model.denoiser.conditions!(
        {
          ...{ width: side, height: side, crop: { left, top } },
          originalSize: { width: originalWidth, height: originalHeight },
        },
        "cond",
      );
      return {
        clean: numbersAt(latents, step, i),
        noise: numbersAt(noise, step, i),
        timestep: numbersAt(timesteps, step, i)[0]!,
        weights: new Float32Array(height * width).fill((i < batch ? 1 : prior!) / (batch * elements)),
        text: encoded?.get(prompt) ?? tokens.get(prompt)!,
        conditions,
      };
    });
    expect(samples.map(({ conditions }) => conditions!.time_ids)).toEqual(sizes);
    return terms.denoising(samples, shape);
  };
  return { tensor, values, objective };
}

const learnedOf = (vectors: number) => {
  const token = new Map(vectors > 0 ? [["sks", vectors]] : []);
  return new Map(["text_encoder", "text_encoder_2"].map((component) => [component, token]));
};

/** Compiled once for both tests; the second starts from the initial values again. */
function openOnce(one: Case): () => ReturnType<typeof open> {
  let opened: ReturnType<typeof open> | undefined;
  return async () => {
    opened ??= open(one);
    const { tensor, values, objective } = await opened;
    for (const name of values.keys()) values.set(name, await tensor(`initial ${name}`));
    return { tensor, values, objective };
  };
}

describe.each(cases.map((one) => [one.name, one] as const))("an SDXL LoRA by %s", (_, one) => {
  followsPyTorch(openOnce(one), { learningRate: one.learningRate, weightDecay: 1e-4, named: (name) => name });
});
