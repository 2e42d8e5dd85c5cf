/**
 * Predicts all rows of a guidance method, with the networks they need.
 *
 * With adapters, one network serves every row. A full fine-tune needs a network for each strength: the model itself at 1, its
 * base at 0, and in between their blend, theta_omega = omega theta_ft + (1 - omega) theta_pre.
 */
import { cacheFolder, exists, join, makeFolder, stampOf, startHash } from "#bytes";
import { readSafetensors } from "../bytes/safetensors.ts";
import type { Component, Model, Tokens } from "../families/family.ts";
import type { ComputedRows } from "../guidance/evaluations.ts";
import type { Row, RowText } from "../guidance/guidance.ts";
import type { AttentionForm } from "../models/unet.ts";
import { type Engine, rowOf, stackRows, type Tensor } from "../runtime/index.ts";
import { blendCheckpoints } from "../weights/blend.ts";
import type { LoadedAdapter } from "./adapter-inputs.ts";
import { buildDenoiser, type Conditioning, type Denoiser, type DenoiserSource, type TextRow } from "./denoiser.ts";

/** The rows' encoded texts, for any number of pictures. They stay in the worker until released. */
export interface EncodedMethod {
  readonly parts: readonly EncodedPart[];
  release(): Promise<void>;
}

interface EncodedPart {
  readonly denoiser: Denoiser;
  /** Which of the method's rows this network predicts. */
  readonly rows: readonly number[];
  readonly encoded: Awaited<ReturnType<Denoiser["encode"]>>;
}

/** The rows of a method that one network predicts, for a number of pictures. */
interface PreparedPart extends Omit<EncodedPart, "encoded"> {
  readonly conditioning: Conditioning;
}

/** Predicts for the pictures of one batch. */
export interface BatchPredictor {
  /** Maps each picture's latents [1, channels, h, w] to its predictions: one for each row, or for the first row alone. */
  predict(pictures: readonly Tensor[], timestep: number, computed: ComputedRows): Promise<Float32Array[][]>;
  release(): Promise<void>;
}

export interface Predictor {
  /** Networks are rebuilt for each request, so requests run one at a time. */
  readonly oneAtATime: boolean;
  encode(rows: readonly Row[], tokens: Readonly<Record<RowText, Tokens>>, clipSkip: number): Promise<EncodedMethod>;
  batch(method: EncodedMethod, pictures: number): Promise<BatchPredictor>;
  setAdapters(loaded: readonly LoadedAdapter[]): Promise<void>;
}

export async function buildPredictor(
  engine: Engine,
  model: Model,
  base: Model | undefined,
  adapters: readonly LoadedAdapter[],
  attention: AttentionForm = "exact",
): Promise<Predictor> {
  let loaded = adapters;
  const main = await buildDenoiser(engine, model, loaded, attention);
  let weak: { strength: number; denoiser: Denoiser } | undefined;

  const denoiserAt = async (strength: number): Promise<Denoiser> => {
    if (!base || strength === 1) return main;
    if (weak?.strength !== strength) {
      await weak?.denoiser.release();
      weak = undefined;
      weak = {
        strength,
        denoiser: await buildDenoiser(engine, await between(model, base, strength), loaded, attention),
      };
    }
    return weak.denoiser;
  };

  return {
    oneAtATime: base !== undefined || main.apart,
    async encode(rows, tokens, clipSkip) {
      const groups: { denoiser: Denoiser; encoder: Denoiser; indices: number[] }[] = [];
      for (const [index, { strength, textStrength = strength }] of rows.entries()) {
        const denoiser = await denoiserAt(strength);
        const encoder = textStrength === strength ? denoiser : await denoiserAt(textStrength);
        const group = groups.find((one) => one.denoiser === denoiser && one.encoder === encoder);
        if (group) group.indices.push(index);
        else groups.push({ denoiser, encoder, indices: [index] });
      }
      const parts: EncodedPart[] = [];
      for (const { denoiser, encoder, indices } of groups) {
        const textRows = indices.map((i): TextRow => ({ ...rows[i]!, tokens: tokens[rows[i]!.text] }));
        parts.push({ denoiser, rows: indices, encoded: await encoder.encode(textRows, clipSkip) });
      }
      return {
        parts,
        async release() {
          for (const { encoded } of parts) await encoded.release();
        },
      };
    },
    async batch(method, count) {
      const prepare = async (computed: ComputedRows): Promise<PreparedPart[]> => {
        const parts: PreparedPart[] = [];
        for (const { denoiser, rows: all, encoded } of method.parts) {
          const rows = all.filter((row) => computed === "all" || row === 0);
          if (rows.length === 0) continue;
          const chosen = rows.map((row) => all.indexOf(row));
          parts.push({ denoiser, rows, conditioning: await denoiser.condition(encoded, count, chosen) });
        }
        return parts;
      };
      // The strong row alone is prepared on first use: most methods never need it.
      const prepared = new Map<ComputedRows, readonly PreparedPart[]>([["all", await prepare("all")]]);
      return {
        async predict(pictures, timestep, computed) {
          if (!prepared.has(computed)) prepared.set(computed, await prepare(computed));
          const predictions = pictures.map((): Float32Array[] => []);
          for (const { denoiser, rows, conditioning } of prepared.get(computed)!) {
            const batch = stackRows(pictures.flatMap((latents) => rows.map(() => latents)));
            const predicted = await denoiser.predict(batch, timestep, conditioning);
            for (const [p, ofPicture] of predictions.entries()) {
              for (const [r, row] of rows.entries()) {
                ofPicture[row] = rowOf(predicted, p * rows.length + r).data as Float32Array;
              }
            }
          }
          return predictions;
        },
        release: async () => {
          for (const { conditioning } of [...prepared.values()].flat()) await conditioning.release();
        },
      };
    },
    async setAdapters(next) {
      await main.setAdapters(next);
      loaded = next;
      await weak?.denoiser.setAdapters(next);
    },
  };
}

/** The model at a strength between `base` (0) and `model` (1); each blend is written once to the user's cache folder. */
async function between(model: Model, base: Model, strength: number): Promise<DenoiserSource> {
  if (strength === 0) return base;
  const components = new Map(model.components);
  for (const name of model.steered) {
    const [tuned, pre] = [model.components.get(name)!, base.components.get(name)!];
    components.set(name, { config: tuned.config, weights: await cachedBlend(name, tuned, pre, strength) });
  }
  return { ...model, components };
}

async function cachedBlend(part: string, model: Component, base: Component, strength: number) {
  const folder = join(cacheFolder(), "blends");
  await makeFolder(folder);
  const file = join(folder, `${await contentKey(part, [model, base], strength)}.safetensors`);
  return (await exists(file))
    ? (await readSafetensors(file)).tensors
    : blendCheckpoints(model.weights, base.weights, strength, file);
}

/** A key of the part of the model (one file may hold them all), the source files, their sizes and times, and the strength. */
async function contentKey(part: string, components: readonly Component[], strength: number): Promise<string> {
  const hash = startHash();
  hash.update(`${part}|${strength}`);
  for (const { weights } of components) {
    for (const file of new Set([...weights.values()].map(({ source }) => source.name))) {
      hash.update(`|${file}|${await stampOf(file)}`);
    }
    hash.update("||");
  }
  return (await hash.digest()).slice(0, 32);
}
