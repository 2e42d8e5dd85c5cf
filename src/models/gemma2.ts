/** Gemma 2 as a text encoder (Transformers' Gemma2Model). */
import { z } from "zod";
import {
  add,
  concat,
  constant,
  cos,
  type Dim,
  geluTanh,
  inFloat32,
  input,
  less,
  matmul,
  matmulOf,
  multiply,
  multiplyDims,
  negate,
  type Outputs,
  positions,
  reshape,
  rmsNorm,
  select,
  sin,
  slice,
  softmax,
  subtract,
  symbol,
  tanh,
  transpose,
  type Value,
} from "../graph/index.ts";
import { none, off, only, parseConfig } from "./config.ts";
import { linearAt, type Module } from "./module.ts";

const count = z.number().int().positive();

const schema = z
  .object({
    hidden_size: count.default(2304),
    num_hidden_layers: count.default(26),
    num_attention_heads: count.default(8),
    num_key_value_heads: count.default(4),
    head_dim: count.default(256),
    query_pre_attn_scalar: z.number().positive().default(256),
    /** Null if attention scores are not capped. */
    attn_logit_softcapping: z.number().positive().nullable().default(50),
    sliding_window: count.nullable().default(4096),
    /** Absent in older files: layers then alternate, beginning with sliding attention. */
    layer_types: z.array(z.enum(["sliding_attention", "full_attention"])).nullish(),
    rms_norm_eps: z.number().positive().default(1e-6),
    hidden_activation: only("gelu_pytorch_tanh"),
    /** Where Transformers 5 writes rope_theta; before, it was a key of its own. */
    rope_parameters: z.object({ rope_theta: z.number().positive().optional(), rope_type: only("default") }).nullish(),
    rope_theta: z.number().positive().default(10000),
    rope_scaling: none,
    attention_bias: off,
    use_bidirectional_attention: off,
  })
  .refine((config) => config.num_attention_heads % config.num_key_value_heads === 0, {
    path: ["num_key_value_heads"],
    message: "it must divide num_attention_heads",
  });

export type Gemma2Config = z.output<typeof schema>;

export const gemma2Config = (config: Readonly<Record<string, unknown>>): Gemma2Config =>
  parseConfig("text encoder", schema, config);

/** The key of the embedding table, which has a prefix if the model was saved as a language model. */
export const gemma2Table = (weights: { readonly has: (key: string) => boolean }): string =>
  weights.has("model.embed_tokens.weight") ? "model.embed_tokens.weight" : "embed_tokens.weight";

/**
 * Records the text encoder.
 *
 * Input: `embeddings` [batch, tokens, hidden_size], the tokens' rows of the embedding table, unscaled. The table itself is not in
 * the graph: it is a quarter of the weights, and a prompt needs a few rows. Output: `text` [batch, tokens, hidden_size], the
 * hidden state after the final norm. Attention is causal, so padding at the end does not affect the tokens before it.
 */
export function gemma2(top: Module, config: Gemma2Config): Outputs {
  const model = top.has("model.norm.weight") ? top.at("model") : top;
  const { hidden_size: width } = config;
  const embeddings = input("embeddings", [symbol("batch"), symbol("tokens"), width]);
  const turns = rotation(embeddings, config);
  const [near, all] = [hidden(embeddings, config.sliding_window), hidden(embeddings, null)];
  let x = multiply(embeddings, Math.sqrt(width));
  for (const i of Array(config.num_hidden_layers).keys()) {
    const module = model.at("layers").at(i);
    const sliding = config.layer_types ? config.layer_types[i] === "sliding_attention" : i % 2 === 0;
    const norm = (name: string, value: Value) => normAt(module.at(name), value, config);
    const attended = attend(module.at("self_attn"), norm("input_layernorm", x), sliding ? near : all, turns, config);
    x = add(x, norm("post_attention_layernorm", attended));
    const made = perceptron(module.at("mlp"), norm("pre_feedforward_layernorm", x));
    x = add(x, norm("post_feedforward_layernorm", made));
  }
  return { text: normAt(model.at("norm"), x, config) };
}

/** RMS normalisation with 1 + weight as the scale. */
const normAt = (module: Module, x: Value, { rms_norm_eps: epsilon }: Gemma2Config): Value =>
  multiply(rmsNorm(x, 2, epsilon), add(inFloat32(module.value("weight")), 1));

const perceptron = (module: Module, x: Value): Value => {
  const gate = geluTanh(linearAt(module.at("gate_proj"), x));
  return linearAt(module.at("down_proj"), multiply(gate, linearAt(module.at("up_proj"), x)));
};

/** The bias [tokens, tokens] of the causal mask, which also hides keys `window` or more tokens back. */
function hidden(x: Value, window: number | null): Value {
  const places = positions(x, 1);
  const [tokens] = places.shape as [Dim];
  const distance = subtract(reshape(places, [tokens, 1]), reshape(places, [1, tokens])); // how far back a key is
  const bias = select(less(distance, constant([], [0])), -1e9, 0);
  return window === null ? bias : select(less(constant([], [window - 1]), distance), -1e9, bias);
}

interface Rotation {
  /** [1, tokens, 1, head_dim / 2] each. */
  readonly cosines: Value;
  readonly sines: Value;
}

/** Rotary position angles, with frequencies from 1 down to nearly 1 / theta. */
function rotation(x: Value, { head_dim: size, rope_parameters, rope_theta }: Gemma2Config): Rotation {
  const theta = rope_parameters?.rope_theta ?? rope_theta;
  const frequencies = Float32Array.from(
    { length: size / 2 },
    (_, j) => 1 / Math.fround(theta ** Math.fround((2 * j) / size)),
  );
  const places = positions(x, 1);
  const angles = multiply(reshape(places, [1, places.shape[0]!, 1, 1]), constant([1, 1, 1, size / 2], frequencies));
  return { cosines: cos(angles), sines: sin(angles) };
}

/** Rotary embedding of x [batch, tokens, heads, head_dim]: elements i and i + head_dim / 2 are rotated as a pair. */
function rotated(x: Value, { cosines, sines }: Rotation): Value {
  const size = x.shape[3] as number;
  const [first, second] = [slice(x, 3, 0, size / 2), slice(x, 3, size / 2, size)];
  return concat(
    [
      add(multiply(first, cosines), multiply(negate(second), sines)),
      add(multiply(second, cosines), multiply(first, sines)),
    ],
    3,
  );
}

/** Grouped-query self-attention of x [batch, tokens, width]: consecutive query heads share a head of keys and values. */
function attend(module: Module, x: Value, bias: Value, turns: Rotation, config: Gemma2Config): Value {
  const { num_attention_heads: heads, num_key_value_heads: groups, head_dim: size } = config;
  const [batch, tokens] = x.shape as [Dim, Dim, number];
  const shared = heads / groups;
  const byHead = (name: string, n: number) => reshape(linearAt(module.at(name), x), [batch, tokens, n, size]);
  const k = transpose(rotated(byHead("k_proj", groups), turns), [0, 2, 1, 3]); // [batch, groups, tokens, head_dim]
  const v = transpose(byHead("v_proj", groups), [0, 2, 1, 3]);
  // A group's queries are rows of one product, so keys and values need no repeating.
  const grouped = reshape(rotated(byHead("q_proj", heads), turns), [batch, tokens, groups, shared, size]);
  const rows = [batch, groups, multiplyDims(tokens, shared)] as const;
  const q = reshape(transpose(grouped, [0, 2, 3, 1, 4]), [...rows, size]);
  const scores = capped(multiply(matmulOf(q, k, "second"), config.query_pre_attn_scalar ** -0.5), config);
  const shares = softmax(add(reshape(scores, [batch, groups, shared, tokens, tokens]), bias));
  const mixed = reshape(matmul(reshape(shares, [...rows, tokens]), v), [batch, groups, shared, tokens, size]);
  return linearAt(module.at("o_proj"), reshape(transpose(mixed, [0, 3, 1, 2, 4]), [batch, tokens, heads * size]));
}

/** Scores soft-capped to between -cap and cap. */
function capped(scores: Value, { attn_logit_softcapping: cap }: Gemma2Config): Value {
  const wide = inFloat32(scores);
  return cap === null ? wide : multiply(tanh(multiply(wide, 1 / cap)), cap);
}
