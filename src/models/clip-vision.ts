/** CLIP's vision transformer (Transformers' CLIPVisionModel), with the projection to CLIP's joint space. */
import { z } from "zod";
import { input, multiply, type Outputs, reshape, slice, sum, symbol, type Value } from "../graph/index.ts";
import { clipLayer } from "./clip-layer.ts";
import { count, parseConfig } from "./config.ts";
import { layerNormAt, linearAt, type Module } from "./module.ts";
import { embedPatches } from "./patches.ts";

const schema = z.object({
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  image_size: count.default(224),
  patch_size: count.default(32),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
});

export type ClipVisionConfig = z.output<typeof schema>;

/** Reads `vision_config` of a CLIP folder's config.json. */
export const clipVisionConfig = (config: Readonly<Record<string, unknown>>): ClipVisionConfig =>
  parseConfig("CLIP vision", schema, config);

/**
 * Records the vision encoder.
 *
 * Input, unless given: `picture` [batch, 3, image_size, image_size], normalised as by CLIP's processor. Output:
 * `features` [batch, projection_dim], not normalised (Transformers' `get_image_features`).
 */
export function clipVision(
  clip: Module,
  config: ClipVisionConfig,
  picture: Value = input("picture", [symbol("batch"), 3, config.image_size, config.image_size]),
): Outputs {
  const vision = clip.at("vision_model");
  const names = { patches: "patch_embedding", classToken: "class_embedding", positions: "position_embedding.weight" };
  const tokens = embedPatches(vision.at("embeddings"), picture, config.patch_size, names);
  let x = layerNormAt(vision.at("pre_layrnorm"), tokens, config.layer_norm_eps); // the checkpoint's spelling
  const options = {
    heads: config.num_attention_heads,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    causal: false,
  };
  for (let i = 0; i < config.num_hidden_layers; i++) x = clipLayer(vision.at("encoder.layers").at(i), x, options);
  const state = layerNormAt(vision.at("post_layernorm"), slice(x, 1, 0, 1), config.layer_norm_eps);
  const features = linearAt(clip.at("visual_projection"), state); // [batch, 1, projection_dim]
  return { features: reshape(features, [features.shape[0]!, features.shape[2]!]) };
}

/**
 * Text features [batch, projection_dim] from the text encoder's states [batch, positions, width]: the end token's state,
 * projected (Transformers' `get_text_features`). Input: `end` [batch, positions, 1], 1 at that token and 0 elsewhere.
 */
export function clipTextFeatures(clip: Module, text: Value): Value {
  const [batch, positions] = text.shape;
  const pooled = sum(multiply(text, input("end", [batch!, positions!, 1])), [1], { keep: true });
  const features = linearAt(clip.at("text_projection"), pooled);
  return reshape(features, [features.shape[0]!, features.shape[2]!]);
}
