/** A vision transformer with the names of timm's and DINO's own checkpoints, as DreamSim's branches have them. */
import {
  add,
  attention,
  gelu,
  input,
  linear,
  matmul,
  multiply,
  type Outputs,
  quickGelu,
  reshape,
  slice,
  symbol,
  type Value,
} from "../graph/index.ts";
import { layerNormAt, linearAt, type Module } from "./module.ts";
import { embedPatches } from "./patches.ts";

export interface TimmViTConfig {
  readonly layers: number;
  readonly heads: number;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly activation: "gelu" | "quick_gelu";
  readonly epsilon: number;
  /** `state`: the class token as the last block leaves it, before the last norm. `projected`: after norm and `proj`. */
  readonly feature: "state" | "projected";
}

/** Low-rank factors of the `qkv` layers in PEFT's names, `blocks.i.attn.qkv.lora_A`. */
export interface QkvFactors {
  readonly module: Module;
  /** What the change of a layer is multiplied by, alpha / rank; checks that its factors are there and fit. */
  readonly scale: (path: string) => number;
}

/**
 * Records the transformer.
 *
 * Input: `picture` [batch, 3, imageSize, imageSize], normalised. Output: `features` [batch, width]. CLIP's transformers in this
 * form have a norm before the first block, `pos_drop`, and a matrix `proj`.
 */
export function timmViT(model: Module, config: TimmViTConfig, lora?: QkvFactors): Outputs {
  const { imageSize, patchSize, heads, epsilon } = config;
  const picture = input("picture", [symbol("batch"), 3, imageSize, imageSize]);
  const names = { patches: "patch_embed.proj", classToken: "cls_token", positions: "pos_embed" };
  let x = embedPatches(model, picture, patchSize, names);
  if (model.has("pos_drop.weight")) x = layerNormAt(model.at("pos_drop"), x, epsilon);
  for (let i = 0; i < config.layers; i++) {
    const block = model.at("blocks").at(i);
    const h = layerNormAt(block.at("norm1"), x, epsilon);
    const [q, k, v] = thirds(qkvOf(block.at("attn.qkv"), h, lora));
    x = add(x, linearAt(block.at("attn.proj"), attention(q, k, v, heads)));
    const wide = linearAt(block.at("mlp.fc1"), layerNormAt(block.at("norm2"), x, epsilon));
    x = add(x, linearAt(block.at("mlp.fc2"), config.activation === "gelu" ? gelu(wide) : quickGelu(wide)));
  }
  const state = slice(x, 1, 0, 1); // [batch, 1, width]
  const feature =
    config.feature === "state" ? state : matmul(layerNormAt(model.at("norm"), state, epsilon), model.value("proj"));
  return { features: reshape(feature, [feature.shape[0]!, feature.shape[2]!]) };
}

/** The layer `qkv` with its low-rank change, which PEFT adds to its output: W x + b + scale B A x. */
function qkvOf(layer: Module, x: Value, lora: QkvFactors | undefined): Value {
  const plain = linearAt(layer, x);
  if (!lora) return plain;
  const scale = lora.scale(layer.path);
  const factors = lora.module.at(layer.path);
  const change = linear(linear(x, factors.value("lora_A.weight")), factors.value("lora_B.weight"));
  return add(plain, multiply(change, scale));
}

function thirds(joined: Value): [Value, Value, Value] {
  const width = (joined.shape[2] as number) / 3;
  const part = (i: number) => slice(joined, 2, i * width, (i + 1) * width);
  return [part(0), part(1), part(2)];
}
