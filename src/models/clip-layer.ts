/** One layer of CLIP's transformers, text and vision alike: attention and a two-layer perceptron, each after a norm. */
import { add, attention, gelu, quickGelu, type Value } from "../graph/index.ts";
import { layerNormAt, linearAt, type Module } from "./module.ts";

export interface ClipLayerOptions {
  readonly heads: number;
  readonly activation: "quick_gelu" | "gelu";
  readonly epsilon: number;
  /** Whether tokens attend only to themselves and those before them. */
  readonly causal: boolean;
}

/** x [batch, tokens, width] through the layer at `layer`. */
export function clipLayer(layer: Module, x: Value, { heads, activation, epsilon, causal }: ClipLayerOptions): Value {
  const attn = layer.at("self_attn");
  const h = layerNormAt(layer.at("layer_norm1"), x, epsilon);
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => linearAt(attn.at(name), h)) as [Value, Value, Value];
  const attended = add(x, linearAt(attn.at("out_proj"), attention(q, k, v, heads, { causal })));
  const wide = linearAt(layer.at("mlp.fc1"), layerNormAt(layer.at("layer_norm2"), attended, epsilon));
  return add(attended, linearAt(layer.at("mlp.fc2"), activation === "gelu" ? gelu(wide) : quickGelu(wide)));
}
