/** The compiled terms of a run's loss: each returns its value and its gradients. */

import type { Model, Tokens } from "../../families/family.ts";
import { scoped } from "../../models/components.ts";
import { siteInputs } from "../../models/module.ts";
import { type Engine, float32, type Session, stackRows, type Tensor } from "../../runtime/index.ts";
import type { TensorValues } from "../optimise/tensor-values.ts";
import { denoisingLoss, gradientOf, semanticLoss, withGradients } from "./losses.ts";
import type { Noising } from "./noising.ts";
import { type EncodedText, noEmbeddings, tokenRows } from "./texts.ts";
import { type Trained, trainsText } from "./trained.ts";

export interface Evaluated {
  readonly loss: number;
  /** Owned by the caller, who may change them in place. */
  readonly gradients: TensorValues;
}

/** One picture of a batch, as the denoising loss takes it. */
export interface Sample {
  /** Latents [channels, h, w] of the picture. */
  readonly clean: Float32Array;
  /** eps, shaped alike. */
  readonly noise: Float32Array;
  readonly timestep: number;
  /** The weight of each latent pixel's squared error, [h, w]. */
  readonly weights: Float32Array;
  /** Tokens if the text side is trained, else the text networks' outputs. */
  readonly text: Tokens | EncodedText;
  /** What the denoiser takes beside the text, by input; for families with conditions. */
  readonly conditions?: Readonly<Record<string, readonly number[]>>;
}

export interface Terms {
  denoising(samples: readonly Sample[], shape: readonly [number, number, number]): Promise<Evaluated>;
  /** See `semanticLoss`: the two prompts, and the positions to pool. */
  semantic(tokens: readonly [Tokens, Tokens], pooled: readonly [number, number]): Promise<Evaluated>;
}

/** Compiles the terms for tensors `values`, which are read again at each evaluation. */
export async function compileTerms(
  engine: Engine,
  model: Model,
  trained: Trained,
  values: ReadonlyMap<string, Tensor>,
  noising: Noising,
  { semantic }: { semantic: boolean },
): Promise<Terms> {
  const denoiser = await engine.compile("training step", withGradients(denoisingLoss(model, trained), values.keys()));
  const preserver = semantic
    ? await engine.compile("semantic preservation", withGradients(semanticLoss(model, trained), values.keys()))
    : undefined;

  const evaluate = async (session: Session, feeds: Readonly<Record<string, Tensor>>): Promise<Evaluated> => {
    const known = [...session.inputs.keys()].flatMap((name) => (values.has(name) ? [[name, values.get(name)!]] : []));
    const results = await session.run({ ...Object.fromEntries(known), ...feeds });
    const gradients = [...values.keys()].flatMap((name): [string, Float32Array][] => {
      const gradient = results[gradientOf(name)];
      return gradient ? [[name, gradient.data as Float32Array]] : [];
    });
    return { loss: results.loss!.data[0]!, gradients: new Map(gradients) };
  };
  const strengths = (session: Session, batch: number): Record<string, Tensor> => {
    const strength = float32(
      [batch, 1, trained.rank],
      new Float32Array(batch * trained.rank).fill(trained.alpha / trained.rank),
    );
    const names = [...trained.lowRank].flatMap(([component, paths]) =>
      [...paths].map((path) => siteInputs(scoped(component, path)).strength),
    );
    return Object.fromEntries(names.filter((name) => session.inputs.has(name)).map((name) => [name, strength]));
  };
  const learnsText = trainsText(model, trained);
  /** Only the inputs that the graph has. */
  const among = (session: Session, feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputs.has(name)));
  const idleEmbeddings = Object.fromEntries(Object.entries(noEmbeddings(model)).filter(([name]) => !values.has(name)));

  return {
    async denoising(samples, shape) {
      const batch = samples.length;
      const [, height, width] = shape;
      const stacked = (of: (sample: Sample) => Float32Array): Float32Array => joined(samples.map(of));
      const texts = samples.map(({ text }) => text);
      const text = learnsText
        ? { ...tokenRows(texts as Tokens[]), ...idleEmbeddings }
        : stackedTexts(texts as EncodedText[]);
      return evaluate(denoiser, {
        latents: float32(
          [batch, ...shape],
          stacked((s) => noising.noised(s.clean, s.noise, s.timestep)),
        ),
        target: float32(
          [batch, ...shape],
          stacked((s) => noising.target(s.clean, s.noise, s.timestep)),
        ),
        weights: float32(
          [batch, 1, height, width],
          stacked((s) => s.weights),
        ),
        timestep: float32(
          [batch],
          samples.map((s) => s.timestep),
        ),
        ...among(denoiser, text),
        ...conditionsOf(samples),
        ...strengths(denoiser, batch),
      });
    },
    async semantic(tokens, pooled) {
      const length = Object.values(tokens[0].inputs)[0]!.length;
      const where = new Float32Array(2 * length);
      for (const [row, position] of pooled.entries()) where[row * length + position] = 1;
      return evaluate(preserver!, {
        ...among(preserver!, { ...tokenRows(tokens), ...idleEmbeddings }),
        pooled: float32([2, length, 1], where),
        ...strengths(preserver!, 2),
      });
    },
  };
}

/** Each output of the text networks, one row a text. */
function stackedTexts(texts: readonly EncodedText[]): Record<string, Tensor> {
  return Object.fromEntries(Object.keys(texts[0]!).map((name) => [name, stackRows(texts.map((text) => text[name]!))]));
}

/** The conditions' inputs, one row a picture. */
function conditionsOf(samples: readonly Sample[]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(samples[0]!.conditions ?? {}).map(([name, { length }]) => [
      name,
      float32(
        [samples.length, length],
        samples.flatMap(({ conditions }) => [...conditions![name]!]),
      ),
    ]),
  );
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
