/** Losses, gradients and AdamW steps of a SANA LoRA against PEFT and PyTorch's autograd: fixtures of parity/sana_training.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { compileTerms, type Evaluated, type Sample } from "../src/training/objective/terms.ts";
import { encodeTexts, trainingTexts } from "../src/training/objective/texts.ts";
import { projections, type Trained } from "../src/training/objective/trained.ts";
import { gradientNorm, newAdamWState } from "../src/training/optimise/adamw.ts";
import { optimise } from "../src/training/optimise/optimise.ts";
import { dataOf } from "../src/training/optimise/tensor-values.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";

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

/** The fixtures' names have no component. */
const bare = (name: string): string => name.slice(name.indexOf(":") + 1);

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
  const row = ({ shape, data }: Tensor, step: number, index: number) => {
    const size = shape.slice(2).reduce((a, b) => a * b, 1);
    const from = (step * shape[1]! + index) * size;
    return data.slice(from, from + size) as Float32Array;
  };
  const objective = (step: number): Promise<Evaluated> => {
    const samples = prompts.map((prompt, i): Sample => {
      const timestep = noising.timestepAt(row(indices!, step, i)[0]!);
      // The reference's is divided and multiplied in float32.
      expect(timestep).toBeCloseTo(row(timesteps!, step, i)[0]!, 4);
      return {
        clean: row(latents!, step, i),
        noise: row(noise!, step, i),
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
  test("has PyTorch's loss and gradients, within 1e-3", async () => {
    const { tensor, values, objective } = await open(one);
    const { loss, gradients } = await objective(0);
    expect(Math.abs(loss / (await tensor("losses")).data[0]! - 1)).toBeLessThan(1e-5);
    expect([...gradients.keys()].sort()).toEqual([...values.keys()].sort());
    for (const [name, data] of gradients) {
      const expected = await tensor(`gradient ${bare(name)}`);
      expect(relativeError({ shape: expected.shape, data }, expected), name).toBeLessThan(1e-3);
    }
    const norm = (await tensor("norm")).data[0]!;
    expect(Math.abs(gradientNorm(new Map(gradients)) / norm - 1)).toBeLessThan(1e-4);
  });

  test("follows PyTorch for ten steps of AdamW, within 1e-3", async () => {
    const { tensor, values, objective } = await open(one);
    const settings = {
      steps: 10,
      accumulate: 1,
      learningRate: one.learningRate,
      schedule: "constant",
      warmup: 0,
      weightDecay: 1e-4,
      clip: 1,
    } as const;
    const losses: number[] = [];
    const state = newAdamWState(dataOf(values));
    for await (const { loss } of optimise(values, state, objective, settings)) losses.push(loss);
    const expected = (await tensor("losses")).data;
    for (const [i, loss] of losses.entries()) expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-3);
    for (const [name, found] of values) {
      expect(relativeError(found, await tensor(`final ${bare(name)}`)), name).toBeLessThan(1e-3);
    }
  });
});
