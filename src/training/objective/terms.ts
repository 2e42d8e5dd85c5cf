/** The terms of a run's loss, compiled: each gives its value and its gradients by what is trained. */

import type { ModelSource } from "../../families/model-source.ts";
import { siteInputs } from "../../models/module.ts";
import { type Engine, float32, int32, type Session, type Tensor } from "../../runtime/index.ts";
import type { TensorValues } from "../optimise/tensor-values.ts";
import { denoisingLoss, gradientOf, semanticLoss, withGradients } from "./losses.ts";
import type { Noising } from "./noising.ts";
import { type Trained, trainsText } from "./trained.ts";

export interface Evaluated {
  readonly loss: number;
  /** The reader's own, to change in place. */
  readonly gradients: TensorValues;
}

/** One picture of a batch, as the denoising loss takes it. */
export interface Sample {
  /** Latents [channels, h, w] of the picture. */
  readonly clean: Float32Array;
  /** eps, shaped alike. */
  readonly noise: Float32Array;
  readonly timestep: number;
  /** What a latent pixel's squared error counts, [h, w]. */
  readonly weights: Float32Array;
  /** Token ids where the text side is trained, else the text's encoding [positions, width]. */
  readonly text: readonly number[] | Float32Array;
}

export interface Terms {
  denoising(samples: readonly Sample[], shape: readonly [number, number, number]): Promise<Evaluated>;
  /** See `semanticLoss`: ids of the two prompts, and the positions that stand for them. */
  semantic(ids: readonly [readonly number[], readonly number[]], pooled: readonly [number, number]): Promise<Evaluated>;
}

/** Compiles the terms for tensors `values`, which are read anew at each evaluation. */
export async function compileTerms(
  engine: Engine,
  model: ModelSource,
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
    const names = [...trained.unet, ...trained.textEncoder].map((path) => siteInputs(path).strength);
    return Object.fromEntries(names.filter((name) => session.inputs.has(name)).map((name) => [name, strength]));
  };
  /** The text encoder has an input for learned embeddings even where none is learned. */
  const noEmbeddings = (session: Session): Record<string, Tensor> => {
    const shape = session.inputs.get("learned")?.shape;
    return shape && !values.has("learned")
      ? { learned: float32([1, shape[1] as number], new Float32Array(shape[1] as number)) }
      : {};
  };
  const idRows = (rows: readonly (readonly number[])[]): Tensor => int32([rows.length, rows[0]!.length], rows.flat());

  return {
    async denoising(samples, shape) {
      const batch = samples.length;
      const [, height, width] = shape;
      const stacked = (of: (sample: Sample) => Float32Array): Float32Array => joined(samples.map(of));
      const texts = samples.map(({ text }) => text);
      const text = trainsText(trained)
        ? { ids: idRows(texts as (readonly number[])[]) }
        : { text: textRows(texts as Float32Array[], denoiser) };
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
        ...text,
        ...strengths(denoiser, batch),
        ...noEmbeddings(denoiser),
      });
    },
    async semantic(ids, pooled) {
      const length = ids[0].length;
      const where = new Float32Array(2 * length);
      for (const [row, position] of pooled.entries()) where[row * length + position] = 1;
      return evaluate(preserver!, {
        ids: idRows(ids),
        pooled: float32([2, length, 1], where),
        ...strengths(preserver!, 2),
        ...noEmbeddings(preserver!),
      });
    },
  };
}

function textRows(texts: readonly Float32Array[], session: Session): Tensor {
  const width = session.inputs.get("text")!.shape[2] as number;
  return float32([texts.length, texts[0]!.length / width, width], joined(texts));
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
