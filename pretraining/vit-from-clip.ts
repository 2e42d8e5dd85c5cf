/** A ViT like DINO's, initialised from CLIP's vision tower, so that it recognises shapes from the first step. */
import { input, slice, symbol, type TensorRef } from "../src/graph/index.ts";
import type { ClipVisionConfig } from "../src/models/clip-vision.ts";
import { moduleOf } from "../src/models/module.ts";
import { embedPatches } from "../src/models/patches.ts";
import { type Engine, float32, type Tensor } from "../src/runtime/index.ts";
import { planesOfSample, worldSample } from "./sampling.ts";

/** Names of CLIP's layers and the corresponding ones of the ViT. */
const layerNames: readonly (readonly [string, string])[] = [
  ["layer_norm1", "layernorm_before"],
  ["self_attn.q_proj", "attention.attention.query"],
  ["self_attn.k_proj", "attention.attention.key"],
  ["self_attn.v_proj", "attention.attention.value"],
  ["self_attn.out_proj", "attention.output.dense"],
  ["layer_norm2", "layernorm_after"],
  ["mlp.fc1", "intermediate.dense"],
  ["mlp.fc2", "output.dense"],
];

/** Pictures used to measure the standard deviation. */
const pictures = 16;

/** The standard deviation of CLIP's patch embeddings over their width, averaged over the world's patches. */
export async function patchDeviation(
  engine: Engine,
  clip: ReadonlyMap<string, TensorRef>,
  { image_size: side, patch_size: size, hidden_size: width }: ClipVisionConfig,
): Promise<number> {
  const embeddings = moduleOf(clip).at("vision_model.embeddings");
  const names = { patches: "patch_embedding", classToken: "class_embedding", positions: "position_embedding.weight" };
  const tokens = embedPatches(embeddings, input("picture", [symbol("batch"), 3, side, side]), size, names);
  const session = await engine.compile("patches", { tokens: slice(tokens, 1, 1, 1 + (side / size) ** 2) });
  let [sum, count] = [0, 0];
  for (let i = 0; i < pictures; i++) {
    const picture = float32([1, 3, side, side], planesOfSample(worldSample(i, "training")));
    const { data } = (await session.run({ picture })).tokens!;
    for (let at = 0; at < data.length; at += width, count++) {
      sum += deviationOf((data as Float32Array).subarray(at, at + width));
    }
  }
  await session.release();
  return sum / count;
}

/**
 * The ViT's tensors. CLIP normalises its embeddings, the ViT does not: the norm's scale and shift are folded into the embeddings,
 * divided by `deviation`, the average standard deviation of patch embeddings.
 */
export function vitFromClip(
  clip: ReadonlyMap<string, Tensor>,
  { num_hidden_layers: layers, hidden_size: width }: ClipVisionConfig,
  deviation: number,
): Map<string, Tensor> {
  const data = (name: string) => clip.get(`vision_model.${name}`)!.data as Float32Array;
  const shape = (name: string) => clip.get(`vision_model.${name}`)!.shape;
  const [gain, shift] = [data("pre_layrnorm.weight"), data("pre_layrnorm.bias")];
  /** A row of `width` numbers after the norm, without the shift. */
  const normed = (row: Float32Array, by: number) => {
    const middle = mean(row);
    return row.map((value, i) => ((value - middle) / by) * gain[i]!);
  };

  const positions = data("embeddings.position_embedding.weight").slice();
  const token = data("embeddings.class_embedding").map((value, i) => value + positions[i]!);
  positions.set(normed(token, deviationOf(token)).map((value, i) => value + shift[i]!));
  for (let at = width; at < positions.length; at += width) {
    const row = positions.subarray(at, at + width);
    row.set(normed(row, deviation).map((value, i) => value + shift[i]!));
  }
  const kernel = data("embeddings.patch_embedding.weight").slice();
  const size = kernel.length / width;
  for (let at = 0; at < size; at++) {
    const column = Float32Array.from({ length: width }, (_, i) => kernel[i * size + at]!);
    for (const [i, value] of normed(column, deviation).entries()) kernel[i * size + at] = value;
  }

  const tensors = new Map<string, Tensor>([
    ["embeddings.cls_token", float32([1, 1, width], new Float32Array(width))],
    ["embeddings.patch_embeddings.projection.weight", float32(shape("embeddings.patch_embedding.weight"), kernel)],
    ["embeddings.patch_embeddings.projection.bias", float32([width], new Float32Array(width))],
    ["embeddings.position_embeddings", float32([1, positions.length / width, width], positions)],
  ]);
  const copy = (from: string, to: string) => {
    for (const part of ["weight", "bias"]) {
      tensors.set(`${to}.${part}`, float32(shape(`${from}.${part}`), data(`${from}.${part}`).slice()));
    }
  };
  for (let i = 0; i < layers; i++) {
    for (const [from, to] of layerNames) copy(`encoder.layers.${i}.${from}`, `encoder.layer.${i}.${to}`);
  }
  copy("post_layernorm", "layernorm");
  return tensors;
}

const mean = (row: Float32Array): number => row.reduce((a, b) => a + b, 0) / row.length;

function deviationOf(row: Float32Array): number {
  const middle = mean(row);
  return Math.sqrt(mean(row.map((value) => (value - middle) ** 2)));
}
