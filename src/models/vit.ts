/** DINO's vision transformer (Transformers' ViTModel), whose class token distinguishes individuals. */
import { z } from "zod";
import { add, attention, gelu, input, type Outputs, reshape, slice, symbol, type Value } from "../graph/index.ts";
import { count, only, parseConfig } from "./config.ts";
import { layerNormAt, linearAt, type Module } from "./module.ts";
import { embedPatches } from "./patches.ts";

const schema = z.object({
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  image_size: count.default(224),
  patch_size: count.default(16),
  hidden_act: only("gelu"),
  layer_norm_eps: z.number().positive().default(1e-12),
});

export type ViTConfig = z.output<typeof schema>;

export const vitConfig = (config: Readonly<Record<string, unknown>>): ViTConfig => parseConfig("ViT", schema, config);

/**
 * Records the transformer.
 *
 * Input, unless given: `picture` [batch, 3, image_size, image_size], normalised as by its processor. Output:
 * `features` [batch, width], the class token after the last norm.
 */
export function vit(
  model: Module,
  config: ViTConfig,
  picture: Value = input("picture", [symbol("batch"), 3, config.image_size, config.image_size]),
): Outputs {
  const names = {
    patches: "patch_embeddings.projection",
    classToken: "cls_token",
    positions: "position_embeddings",
  };
  let x = embedPatches(model.at("embeddings"), picture, config.patch_size, names);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = model.at("encoder.layer").at(i);
    const h = layerNormAt(layer.at("layernorm_before"), x, config.layer_norm_eps);
    const attn = layer.at("attention.attention");
    const [q, k, v] = ["query", "key", "value"].map((name) => linearAt(attn.at(name), h)) as [Value, Value, Value];
    const attended = attention(q, k, v, config.num_attention_heads);
    x = add(x, linearAt(layer.at("attention.output.dense"), attended));
    const wide = linearAt(
      layer.at("intermediate.dense"),
      layerNormAt(layer.at("layernorm_after"), x, config.layer_norm_eps),
    );
    x = add(x, linearAt(layer.at("output.dense"), gelu(wide)));
  }
  const state = layerNormAt(model.at("layernorm"), slice(x, 1, 0, 1), config.layer_norm_eps);
  return { features: reshape(state, [state.shape[0]!, state.shape[2]!]) };
}
