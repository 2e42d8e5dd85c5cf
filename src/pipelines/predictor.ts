/**
 * Predicts all rows of a guidance method, with the networks they need.
 *
 * With adapters, one network serves every row. A full fine-tune needs others for rows of another strength: its base at 0, and
 * in between a blend of the two.
 */
import type { Model } from "../families/family.ts";
import type { ComputedRows } from "../guidance/evaluations.ts";
import type { Row, RowText } from "../guidance/guidance.ts";
import { type Engine, rowOf, stackRows, type Tensor } from "../runtime/index.ts";
import type { LoadedAdapter } from "./adapter-inputs.ts";
import {
  buildDenoiser,
  type Conditioning,
  type Denoiser,
  type DenoiserOptions,
  type RowInputs,
  type TextRow,
} from "./denoiser.ts";
import { type WeakNetworks, weakNetworks } from "./weak-networks.ts";

/** The rows' encoded texts, for any number of pictures. They stay in the worker until released. */
export interface EncodedMethod {
  readonly rows: readonly Row[];
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
  /** Maps each picture's latents, with what the network sees of a given picture [1, channels, h, w], to its predictions: one for each row, or for the first row alone. */
  predict(pictures: readonly Tensor[], timestep: number, computed: ComputedRows): Promise<Float32Array[][]>;
  release(): Promise<void>;
}

export interface Predictor {
  /** Networks are rebuilt for each request, so requests run one at a time. */
  readonly oneAtATime: boolean;
  encode(rows: readonly Row[], inputs: Readonly<Record<RowText, RowInputs>>, clipSkip: number): Promise<EncodedMethod>;
  batch(method: EncodedMethod, pictures: number): Promise<BatchPredictor>;
  setAdapters(loaded: readonly LoadedAdapter[]): Promise<void>;
}

export async function buildPredictor(
  engine: Engine,
  model: Model,
  base: Model | undefined,
  adapters: readonly LoadedAdapter[],
  options: DenoiserOptions = {},
): Promise<Predictor> {
  let loaded = adapters;
  const main = await buildDenoiser(engine, model, loaded, options);
  const weak: WeakNetworks | undefined = base && weakNetworks(engine, model, base, options);
  const denoiserAt = (strength: number): Denoiser | Promise<Denoiser> =>
    weak && strength !== 1 ? weak.at(strength, loaded) : main;

  return {
    oneAtATime: base !== undefined || main.apart,
    async encode(rows, inputs, clipSkip) {
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
        const textRows = indices.map((i): TextRow => ({ ...rows[i]!, ...inputs[rows[i]!.text] }));
        parts.push({ denoiser, rows: indices, encoded: await encoder.encode(textRows, clipSkip) });
      }
      return {
        rows,
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
            const batch = stackRows(
              pictures.flatMap((seen) => rows.map((row) => inputOf(seen, method.rows[row]!, denoiser))),
            );
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
      await weak?.setAdapters(next);
    },
  };
}

/** What a row's network is given: the latents, with the picture unless the row sees none or the network takes none. */
function inputOf(seen: Tensor, { picture }: Row, { channels, sees }: Denoiser): Tensor {
  const [, all = 0, height = 0, width = 0] = seen.shape;
  if (all === channels) return seen;
  const latents = channels * height * width;
  const data = seen.data as Float32Array;
  if (sees === undefined) return { shape: [1, channels, height, width], data: data.subarray(0, latents) };
  if (picture !== "none") return seen;
  return { shape: seen.shape, data: data.map((value, i) => (i < latents ? value : 0)) };
}
