/** CLIP's text encoder (Transformers' CLIPTextModel): SD 1.5's ViT-L, SD 2.1's OpenCLIP ViT-H and SDXL's two. */
import { z } from "zod";
import {
  add,
  type Dim,
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
  sum,
  symbol,
  type Value,
} from "../graph/index.ts";
import { clipLayer } from "./clip-layer.ts";
import { count, parseConfig } from "./config.ts";
import { layerNormAt, linearAt, type Module } from "./module.ts";

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

/** Where a text encoder's graph gets its tokens. */
export interface ClipTextInputs {
  /** Input of the ids, `ids` by default. */
  readonly ids?: string;
  /** Input of the learned tokens' embeddings, `learned` by default. */
  readonly learned?: string;
  /** Fewer positions than the checkpoint has; as attention is causal, the results are the same as with all of them. */
  readonly positions?: number;
}

/**
 * Records the text encoder.
 *
 * Inputs: `ids` int32 [batch, positions]; `learned` [n, width], the embeddings of learned tokens, whose ids start at the
 * vocabulary's size (n >= 1: pass a row of zeros if there are none). Output: `text` [batch, positions, width], the hidden
 * state `clipSkip` layers before the last (1 is the penultimate), after the final norm, like Diffusers' clip_skip.
 */
export function clipText(
  model: Module,
  config: ClipTextConfig,
  { clipSkip = 0, ...inputs }: ClipTextInputs & { clipSkip?: number } = {},
): Outputs {
  return { text: normed(model, config, clipStates(model, config, inputs).at(-1 - clipSkip)!) };
}

/** The states [batch, positions, width] before the first layer and after each, without the final norm. */
export function clipStates(
  model: Module,
  config: ClipTextConfig,
  { ids: idsName = "ids", learned = "learned", positions = config.max_position_embeddings }: ClipTextInputs = {},
): Value[] {
  const text = model.at("text_model");
  const all = text.value("embeddings.position_embedding.weight");
  const places = positions === all.shape[0] ? all : slice(all, 0, 0, positions);
  const ids = input(idsName, [symbol("batch"), positions], "int32");
  const states = [add(embed(text.at("embeddings"), ids, learned, config), places)];
  const options = {
    heads: config.num_attention_heads,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps,
    causal: true,
  };
  for (let i = 0; i < config.num_hidden_layers; i++) {
    states.push(clipLayer(text.at("encoder.layers").at(i), states[i]!, options));
  }
  return states;
}

/**
 * The projection [batch, projection size] of the last state at each row's end token.
 *
 * @param states Those of {@link clipStates}.
 * @param end int32 [batch, 1], the end token's position.
 */
export function clipPooled(model: Module, config: ClipTextConfig, states: readonly Value[], end: Value): Value {
  const last = normed(model, config, states.at(-1)!);
  const [batch, positions] = last.shape as [Dim, number];
  const places = integers(
    [1, positions],
    Array.from({ length: positions }, (_, i) => i),
  );
  const where = (condition: Value): Value => reshape(condition, [...condition.shape, 1]);
  const notBefore = select(where(less(places, end)), 0, last);
  const only = select(where(less(end, places)), 0, notBefore);
  const projected = linearAt(model.at("text_projection"), sum(only, [1], { keep: true }));
  return reshape(projected, [batch, projected.shape[2]!]);
}

const normed = (model: Module, config: ClipTextConfig, state: Value): Value =>
  layerNormAt(model.at("text_model.final_layer_norm"), state, config.layer_norm_eps);

/** Rows of the checkpoint's table for ids in the vocabulary, of `learned` for those beyond it. */
function embed(module: Module, ids: Value, name: string, config: ClipTextConfig): Value {
  const vocabulary = module.shape("token_embedding.weight")[0]!;
  const learned = input(name, [symbol(`${name} tokens`), config.hidden_size]);
  const bound = (value: number) => integers([], [value]);
  const known = gather(module.value("token_embedding.weight"), minimum(ids, bound(vocabulary - 1)));
  const own = gather(learned, maximum(subtract(ids, bound(vocabulary)), bound(0)));
  const isKnown = less(ids, bound(vocabulary));
  return select(reshape(isKnown, [...isKnown.shape, 1]), known, own);
}
