/**
 * Predicts all rows of a guidance method, with the networks they need.
 *
 * With adapters, one network serves every row. A full fine-tune needs others for rows of another strength: its base at 0, and
 * in between a blend of the two.
 */
import type { Model } from "../families/family.ts";
import type { ComputedRows } from "../guidance/evaluations.ts";
import type { Row, RowText } from "../guidance/guidance.ts";
import type { Share } from "../guidance/share.ts";
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
  /** The rows of all moments: those that change have one for each strength. */
  readonly rows: readonly Row[];
  /** Each moment's rows among these. */
  readonly moments: readonly (readonly number[])[];
  readonly parts: readonly EncodedPart[];
  release(): Promise<void>;
}

interface EncodedPart {
  /** The networks at the strength of these rows. Asking for them may change those of other strengths. */
  readonly networks: () => Denoiser | Promise<Denoiser>;
  /** Which of all rows these networks predict. */
  readonly rows: readonly number[];
  readonly encoded: Awaited<ReturnType<Denoiser["encode"]>>;
}

/** The rows of a step that one network predicts, for a number of pictures. */
interface PreparedPart extends Omit<EncodedPart, "encoded"> {
  readonly conditioning: Conditioning;
}

/** Predicts for the pictures of one batch. */
export interface BatchPredictor {
  /**
   * Maps each picture's latents, with what the network sees of a given picture [1, channels, h, w], to its predictions: one for each
   * row of a moment, or for the first row alone.
   */
  predict(
    pictures: readonly Tensor[],
    timestep: number,
    computed: ComputedRows,
    moment?: number,
  ): Promise<Float32Array[][]>;
  release(): Promise<void>;
}

export interface Predictor {
  /** Networks are rebuilt for each request, so requests run one at a time. */
  readonly oneAtATime: boolean;
  /** @param moments A method's rows with each of their strengths; only the strengths differ between moments. */
  encode(
    moments: readonly (readonly Row[])[],
    inputs: Readonly<Record<RowText, RowInputs>>,
    clipSkip: number,
  ): Promise<EncodedMethod>;
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
  const networksAt = (strength: Share): Denoiser | Promise<Denoiser> =>
    weak && strength !== 1 ? weak.at(strength, loaded) : main;
  /** Rows of the same weights go through the networks together. */
  const weightsOf = ({ strength, textStrength = strength }: Row): string =>
    weak ? JSON.stringify([strength, textStrength]) : "";

  return {
    oneAtATime: base !== undefined || main.apart,
    async encode(moments, inputs, clipSkip) {
      if (moments.length > 1) weak?.refuseMoving();
      const { rows, likes, places } = distinctRows(moments);
      const groups = new Map<string, number[]>();
      for (const [place, row] of rows.entries()) {
        const key = weightsOf(row);
        groups.set(key, [...(groups.get(key) ?? []), place]);
      }
      const parts: EncodedPart[] = [];
      for (const group of groups.values()) {
        const { strength, textStrength = strength } = rows[group[0]!]!;
        const encoder = await networksAt(textStrength);
        const textRows = group.map((row): TextRow => {
          const like = group.indexOf(likes[row]!);
          return { ...rows[row]!, ...inputs[rows[row]!.text], like: like < 0 ? undefined : like };
        });
        const encoded = await encoder.encode(textRows, clipSkip);
        parts.push({ networks: () => networksAt(strength), rows: group, encoded });
      }
      return {
        rows,
        moments: places,
        parts,
        async release() {
          for (const { encoded } of parts) await encoded.release();
        },
      };
    },
    async batch(method, count) {
      const prepare = async (wanted: readonly number[]): Promise<PreparedPart[]> => {
        const parts: PreparedPart[] = [];
        for (const { networks, rows: all, encoded } of method.parts) {
          const rows = all.filter((row) => wanted.includes(row));
          if (rows.length === 0) continue;
          const chosen = rows.map((row) => all.indexOf(row));
          parts.push({ networks, rows, conditioning: await (await networks()).condition(encoded, count, chosen) });
        }
        return parts;
      };
      const rowsOf = (computed: ComputedRows, moment: number): readonly number[] => {
        const all = method.moments[moment]!;
        return computed === "all" ? all : all.slice(0, 1);
      };
      const prepared = new Map<string, readonly PreparedPart[]>();
      const release = async (key: string) => {
        const parts = prepared.get(key)!;
        prepared.delete(key);
        for (const { conditioning } of parts) await conditioning.release();
      };
      // The strong row alone is prepared on first use, since most methods never need it, and then kept; of moments, the current one is.
      const preparedFor = async (rows: readonly number[]): Promise<readonly PreparedPart[]> => {
        const key = rows.join();
        if (!prepared.has(key)) {
          const made = await prepare(rows);
          if (rows.length > 1) for (const other of prepared.keys()) if (other.includes(",")) await release(other);
          prepared.set(key, made);
        }
        return prepared.get(key)!;
      };
      await preparedFor(rowsOf("all", 0));
      return {
        async predict(pictures, timestep, computed, moment = 0) {
          const wanted = rowsOf(computed, moment);
          const predictions = pictures.map((): Float32Array[] => []);
          for (const { networks, rows, conditioning } of await preparedFor(wanted)) {
            const denoiser = await networks();
            const batch = stackRows(
              pictures.flatMap((seen) => rows.map((row) => inputOf(seen, method.rows[row]!, denoiser))),
            );
            const predicted = await denoiser.predict(batch, timestep, conditioning);
            for (const [p, ofPicture] of predictions.entries()) {
              for (const [r, row] of rows.entries()) {
                ofPicture[wanted.indexOf(row)] = rowOf(predicted, p * rows.length + r).data as Float32Array;
              }
            }
          }
          return predictions;
        },
        release: async () => {
          for (const key of prepared.keys()) await release(key);
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

/** The distinct rows of all moments, for each the first of those that differ only in strengths, and each moment's rows among them. */
function distinctRows(moments: readonly (readonly Row[])[]) {
  const [rows, likes]: [Row[], number[]] = [[], []];
  const found = new Map<string, number>();
  const places = moments.map((moment, m) =>
    moment.map((row, position): number => {
      const key = `${position} ${JSON.stringify(row)}`;
      const known = found.get(key);
      if (known !== undefined) return known;
      const place = rows.push(row) - 1;
      found.set(key, place);
      // The first moment has all rows, so their places are their positions.
      likes.push(m === 0 ? -1 : position);
      return place;
    }),
  );
  return { rows, likes, places };
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
