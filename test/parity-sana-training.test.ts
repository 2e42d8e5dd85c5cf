/** Losses, gradients and AdamW steps of a SANA LoRA against PEFT and PyTorch's autograd: fixtures of parity/sana_training.py. */
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
  readonly prompts: readonly string[];
}

const cases = JSON.parse(readFileSync(fixture("sana-pipeline/training.json"), "utf8")) as Case[];

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 2 });
});
afterAll(() => engine.close());

async function open({ name, rank, alpha, batch, prior, prompts }: Case) {
  const model = await openModel(fixture("sana-pipeline/model"));
  const tensor = await reference(`../sana-pipeline/training-${name}.safetensors`);
  const paths = projections(model, "transformer");
  const trained: Trained = { lowRank: new Map([["transformer", paths]]), rank, alpha, matrices: new Map(), vectors: 0 };
  const values = new Map<string, Tensor>();
  for (const path of paths) {
    for (const end of ["down", "up"]) values.set(`transformer:${path}.${end}`, await tensor(`initial ${path}.${end}`));
  }
  const noising = noisingOf(model.schedule);
  const texts = trainingTexts(model, await loadTokenizer(model.tokenizerFolder), new Map());
  const tokens = new Map(prompts.map((prompt) => [prompt, texts.tokens(prompt)]));
  const encoded = await encodeTexts(engine, model, tokens);
  const terms = await compileTerms(engine, model, trained, values, noising, { semantic: false });

  const [latents, noise, timesteps, indices] = [
    ...[await tensor("latents"), await tensor("noise"), await tensor("timesteps"), await tensor("indices")],
  ];
  const [, , ...shape] = latents!.shape as [number, number, number, number, number];
  const [, height, width] = shape;
  const elements = shape.reduce((a, b) => a * b, 1);
  const objective = (step: number): Promise<Evaluated> => {
    const samples = prompts.map((prompt, i): Sample => {
      const timestep = noising.timestepAt(numbersAt(indices!, step, i)[0]!);
      // The reference's is divided and multiplied in float32.
      expect(timestep).toBeCloseTo(numbersAt(timesteps!, step, i)[0]!, 4);
      return {
        clean: numbersAt(latents!, step, i),
        noise: numbersAt(noise!, step, i),
        timestep,
        weights: new Float32Array(height * width).fill((i < batch ? 1 : prior!) / (batch * elements)),
        text: encoded.get(prompt)!,
      };
    });
    return terms.denoising(samples, shape);
  };
  return { tensor, values, objective };
}

describe.each(cases.map((one) => [one.name, one] as const))("a SANA LoRA by %s", (_, one) => {
  followsPyTorch(() => open(one), { learningRate: one.learningRate, weightDecay: 1e-4 });
});
