/** What a run trains, as inputs of the graph: low-rank factors, whole matrices, embeddings. */
import type { LowRank } from "../../adapters/index.ts";
import { readFloat32 } from "../../bytes/safetensors.ts";
import type { ModelSource } from "../../families/model-source.ts";
import { siteInputs } from "../../models/module.ts";
import { crossAttentions, unetConfig } from "../../models/unet.ts";
import { normalValues } from "../../random/streams.ts";
import { float32, type Tensor } from "../../runtime/index.ts";

export interface Trained {
  /** Modules with a low-rank branch. */
  readonly unet: ReadonlySet<string>;
  readonly textEncoder: ReadonlySet<string>;
  readonly rank: number;
  readonly alpha: number;
  /** Keys of U-Net matrices that are trained whole. */
  readonly matrices: ReadonlySet<string>;
  /** Embeddings of the learned token; 0 when no token is learned. */
  readonly vectors: number;
}

/** The name of the embeddings among the trained tensors, and the text encoder's input for them. */
export const embeddings = "learned";

export const trainsText = ({ textEncoder, vectors }: Trained): boolean => textEncoder.size > 0 || vectors > 0;

/** to_q, to_k, to_v and to_out.0 of every attention: what Diffusers' LoRA scripts train. */
export const attentionProjections = ({ unet }: ModelSource): Set<string> =>
  modulesMatching(unet.weights.keys(), /\.attn[12]\.to_(q|k|v|out\.0)\.weight$/);

/** q, k, v and out of every layer, likewise. */
export const textProjections = ({ textEncoder }: ModelSource): Set<string> =>
  modulesMatching(textEncoder.weights.keys(), /\.self_attn\.(q|k|v|out)_proj\.weight$/);

/** Keys and values of the cross-attentions: what Custom Diffusion trains. */
export const textKeyValueMatrices = ({ unet }: ModelSource): Set<string> =>
  new Set(crossAttentions(unetConfig(unet.config)).flatMap((path) => [`${path}.to_k.weight`, `${path}.to_v.weight`]));

const modulesMatching = (keys: Iterable<string>, pattern: RegExp): Set<string> =>
  new Set([...keys].filter((key) => pattern.test(key)).map((key) => key.slice(0, -".weight".length)));

/**
 * The tensors at the start: A normal with standard deviation 1 / rank and B zero (PEFT's "gaussian"), matrices as the model
 * has them, embeddings as given.
 */
export async function initialValues(
  model: ModelSource,
  trained: Trained,
  learned: Tensor | undefined,
  seed: number,
): Promise<Map<string, Tensor>> {
  const values = new Map<string, Tensor>();
  for (const part of ["unet", "textEncoder"] as const) {
    for (const path of [...trained[part]].sort()) {
      const [out, width] = model[part].weights.get(`${path}.weight`)!.shape as [number, number];
      const names = siteInputs(path);
      const down = normalValues(seed, `factor ${path}`, 0, width * trained.rank).map((v) => v / trained.rank);
      values.set(names.down, float32([width, trained.rank], down));
      values.set(names.up, float32([trained.rank, out], new Float32Array(trained.rank * out)));
    }
  }
  for (const key of [...trained.matrices].sort()) {
    const ref = model.unet.weights.get(key)!;
    values.set(key, float32(ref.shape, await readFloat32(ref)));
  }
  if (learned) values.set(embeddings, learned);
  return values;
}

/** The factors of one part as an adapter file has them: A [rank, in], B [out, rank]. */
export function factorsOf(paths: Iterable<string>, { rank, alpha }: Trained, values: ReadonlyMap<string, Tensor>) {
  const factors = new Map<string, LowRank>();
  for (const path of paths) {
    const names = siteInputs(path);
    const [down, up] = [transposed(values.get(names.down)!), transposed(values.get(names.up)!)];
    factors.set(path, { down, up, scale: alpha / rank });
  }
  return factors;
}

function transposed({ shape, data }: Tensor): { shape: readonly number[]; data: Float32Array } {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  return { shape: [columns, rows], data: result };
}
