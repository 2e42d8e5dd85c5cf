/** CLIP's text encoder (Transformers' CLIPTextModel): SD 1.5's ViT-L and SD 2.1's OpenCLIP ViT-H. */
import { z } from "zod";
import {
  add,
  gather,
  input,
  integers,
  less,
  maximum,
  minimum,
  type Outputs,
  reshape,
  select,
  slice,
  subtract,
  symbol,
  type Value,
} from "../graph/index.ts";
import { clipLayer } from "./clip-layer.ts";
import { count, parseConfig } from "./config.ts";
import { layerNormAt, type Module } from "./module.ts";

const schema = z.object({
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  max_position_embeddings: count.default(77),
  vocab_size: z.number().int().positive(),
  hidden_act: z.enum(["quick_gelu", "gelu"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
});

export type ClipTextConfig = z.output<typeof schema>;

export const clipTextConfig = (config: Readonly<Record<string, unknown>>): ClipTextConfig =>
  parseConfig("text encoder", schema, config);

/**
 * Records the text encoder.
 *
 * Inputs: `ids` int32 [batch, positions]; `learned` [n, width], the embeddings of learned tokens, whose ids start at the
 * vocabulary's size (n >= 1: pass a row of zeros if there are none). Output: `text` [batch, positions, width], the hidden
 * state `clipSkip` layers before the last (1 is the penultimate), after the final norm, like Diffusers' clip_skip.
 * `positions` may be fewer than the checkpoint has; as attention is causal, the results are the same as with all of them.
 */
export function clipText(
  model: Module,
  config: ClipTextConfig,
  { clipSkip = 0, positions = config.max_position_embeddings }: { clipSkip?: number; positions?: number } = {},
): Outputs {
  const text = model.at("text_model");
  const all = text.value("embeddings.position_embedding.weight");
  const places = positions === all.shape[0] ? all : slice(all, 0, 0, positions);
  const ids = input("ids", [symbol("batch"), positions], "int32");
  let x = add(embed(text.at("embeddings"), ids, config), places);
  const options = {
    heads: config.num_attention_heads,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    causal: true,
  };
  for (let i = 0; i < config.num_hidden_layers - clipSkip; i++) {
    x = clipLayer(text.at("encoder.layers").at(i), x, options);
  }
  return { text: layerNormAt(text.at("final_layer_norm"), x, config.layer_norm_eps) };
}

/** Rows of the checkpoint's table for ids in the vocabulary, of `learned` for those beyond it. */
function embed(module: Module, ids: Value, config: ClipTextConfig): Value {
  const vocabulary = module.shape("token_embedding.weight")[0]!;
  const learned = input("learned", [symbol("learned tokens"), config.hidden_size]);
  const bound = (value: number) => integers([], [value]);
  const known = gather(module.value("token_embedding.weight"), minimum(ids, bound(vocabulary - 1)));
  const own = gather(learned, maximum(subtract(ids, bound(vocabulary)), bound(0)));
  const isKnown = less(ids, bound(vocabulary));
  return select(reshape(isKnown, [...isKnown.shape, 1]), known, own);
}
