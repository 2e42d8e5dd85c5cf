/** Losses, gradients and AdamW steps of every method against PyTorch's autograd: fixtures of parity/training.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { networkTensors } from "../src/training/objective/network-tensors.ts";
import { noisingOf } from "../src/training/objective/noising.ts";
import { compileTerms, type Evaluated, type Sample } from "../src/training/objective/terms.ts";
import { encodeTexts } from "../src/training/objective/texts.ts";
import {
  initialValues,
  projections,
  type Trained,
  textMatrices,
  trainsText,
} from "../src/training/objective/trained.ts";
import { accumulate } from "../src/training/optimise/tensor-values.ts";
import { textSide } from "../src/training/optimise/text-side.ts";
import { fixture, reference } from "./fixtures.ts";
import { bare, followsPyTorch } from "./pytorch-training.ts";
import { numbersAt } from "./tensor-rows.ts";

interface Case {
  readonly name: string;
  readonly pipeline: string;
  readonly rank: number;
  readonly alpha?: number;
  readonly learningRate: number;
  readonly end: number;
  readonly unet?: boolean;
  readonly text?: boolean;
  readonly matrices?: boolean;
  readonly network?: boolean;
  readonly vectors?: number;
  readonly prior?: number;
  readonly mask?: boolean;
  readonly snrGamma?: number;
  readonly semantic?: number;
  readonly textLearningRate?: number;
  readonly textUntil?: number;
  readonly retract?: boolean;
}

const cases = JSON.parse(readFileSync(fixture("training/cases.json"), "utf8")) as Case[];

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 2 });
});
afterAll(() => engine.close());

const tokensOf = (ids: readonly number[]) => ({ inputs: { ids }, dropped: "" });

async function open(one: Case) {
  const source = await openModel(fixture(`pipelines/${one.pipeline}`));
  const tensor = await reference(`../training/${one.name}.safetensors`);
  const trained: Trained = {
    lowRank: new Map(
      [one.unet && "unet", one.text && "text_encoder"].flatMap((name) =>
        name ? [[name, projections(source, name)] as const] : [],
      ),
    ),
    rank: one.rank,
    alpha: one.alpha ?? one.rank,
    matrices: one.network ? networkTensors(source) : one.matrices ? textMatrices(source) : new Map(),
    vectors: one.vectors ?? 0,
  };
  const names = [
    ...[...trained.lowRank].flatMap(([component, paths]) =>
      [...paths].flatMap((path) => [`${component}:${path}.down`, `${component}:${path}.up`]),
    ),
    ...[...trained.matrices].flatMap(([component, keys]) => [...keys].map((key) => `${component}:${key}`)),
    ...(trained.vectors > 0 ? ["learned"] : []),
  ];
  const values = one.network
    ? await initialValues(source.components, trained, {}, 0)
    : new Map<string, Tensor>(
        await Promise.all(names.map(async (name) => [name, await tensor(`initial ${bare(name)}`)] as const)),
      );
  const noising = noisingOf(source.schedule);
  const terms = await compileTerms(engine, source, trained, values, noising, { semantic: one.semantic !== undefined });

  const inputs = Object.fromEntries(
    await Promise.all(["latents", "noise", "timesteps", "ids"].map(async (name) => [name, await tensor(name)])),
  ) as Record<"latents" | "noise" | "timesteps" | "ids", Tensor>;
  const mask = one.mask ? await tensor("mask") : undefined;
  const pair = one.semantic === undefined ? undefined : await tensor("pair");
  const [, count, channels, side] = inputs.latents.shape as [number, number, number, number, number];
  const elements = channels * side * side;
  const batch = one.prior === undefined ? count : count / 2;
  const text = async (ids: readonly number[]): Promise<Sample["text"]> =>
    trainsText(source, trained)
      ? tokensOf(ids)
      : (await encodeTexts(engine, source, new Map([["", tokensOf(ids)]]))).get("")!;
  const weights = (step: number, index: number, timestep: number): Float32Array => {
    const flat = new Float32Array(side * side);
    if (index >= batch) return flat.fill(one.prior! / (batch * elements));
    if (mask) {
      const own = numbersAt(mask, step, index);
      const counted = own.reduce((a, b) => a + b, 0);
      return own.map((m) => m / (batch * counted));
    }
    const weight = one.snrGamma === undefined ? 1 : noising.minSnrWeight(timestep, one.snrGamma);
    return flat.fill(weight / (batch * elements));
  };

  const objective = async (step: number): Promise<Evaluated> => {
    const samples: Sample[] = [];
    for (let i = 0; i < count; i++) {
      const timestep = numbersAt(inputs.timesteps, step, i)[0]!;
      samples.push({
        clean: numbersAt(inputs.latents, step, i),
        noise: numbersAt(inputs.noise, step, i),
        timestep,
        weights: weights(step, i, timestep),
        text: await text([...numbersAt(inputs.ids, step, i)]),
      });
    }
    const denoising = await terms.denoising(samples, [channels, side, side]);
    if (!pair) return denoising;
    const prompts = [[...numbersAt(pair, step, 0)], [...numbersAt(pair, step, 1)]] as const;
    const kept = await terms.semantic(
      [tokensOf(prompts[0]), tokensOf(prompts[1])],
      [prompts[0].indexOf(one.end), prompts[1].indexOf(one.end)],
    );
    const gradients = new Map(denoising.gradients);
    accumulate(gradients, kept.gradients, one.semantic!);
    return { loss: denoising.loss + one.semantic! * kept.loss, gradients };
  };
  const { textLearningRate, textUntil, retract, learningRate } = one;
  const more = await textSide(source, { steps: 10, learningRate, textLearningRate, textUntil, retract });
  return { tensor, values, objective, more };
}

describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
  followsPyTorch(() => open(one), { learningRate: one.learningRate, weightDecay: 1e-2 });
});
