/**
 * SANA's diffusion transformer (Diffusers' SanaTransformer2DModel): linear self-attention, softmax attention to the text.
 *
 * What depends only on the text is a separate graph ({@link sanaCaption}), run once per prompt; its outputs are inputs of
 * {@link sanaPredict}.
 */
import { z } from "zod";
import {
  add,
  attention,
  concat,
  constant,
  cos,
  type Dim,
  divide,
  elementCount,
  geluTanh,
  input,
  layerNorm,
  multiply,
  multiplyDims,
  type Outputs,
  pad,
  positions,
  recompute,
  reshape,
  silu,
  sin,
  subtract,
  symbol,
  transpose,
  type Value,
} from "../graph/index.ts";
import { linearAttention, toPicture, toTokens } from "./attention.ts";
import { only, parseConfig } from "./config.ts";
import { glumbConv } from "./glumb-conv.ts";
import { convAt, layerNormAt, linearAt, linearPartsAt, type Module, rmsNormAt } from "./module.ts";
import { timestepWaves } from "./timestep.ts";

const count = z.number().int().positive();

const schema = z
  .object({
    in_channels: count.default(32),
    /** Null means as many as in_channels. */
    out_channels: count.nullable().default(32),
    num_attention_heads: count.default(70),
    attention_head_dim: count.default(32),
    num_layers: count.default(20),
    num_cross_attention_heads: count.default(20),
    cross_attention_head_dim: count.default(112),
    cross_attention_dim: count.default(2240),
    caption_channels: count.default(2304),
    mlp_ratio: z.number().positive().default(2.5),
    attention_bias: z.boolean().default(false),
    sample_size: count.default(32),
    patch_size: count.default(1),
    norm_elementwise_affine: z.boolean().default(false),
    norm_eps: z.number().positive().default(1e-6),
    /** Null if there is no positional embedding, only the convolutions. */
    interpolation_scale: z.number().positive().nullish(),
    /** True in distilled models that take the guidance scale as an input: they belong to other pipelines. */
    guidance_embeds: only(false),
    qk_norm: z.literal(["rms_norm_across_heads", null as never]).optional(),
    /** Factor on timesteps before the network. */
    timestep_scale: z.number().positive().default(1),
  })
  .refine((config) => config.cross_attention_dim === widthOf(config), {
    path: ["cross_attention_dim"],
    message: "it must be num_attention_heads times attention_head_dim",
  })
  .transform((config) => ({ ...config, out_channels: config.out_channels ?? config.in_channels }));

export type SanaConfig = z.output<typeof schema>;

export const sanaConfig = (config: Readonly<Record<string, unknown>>): SanaConfig =>
  parseConfig("transformer", schema, config);

function widthOf(config: { readonly num_attention_heads: number; readonly attention_head_dim: number }): number {
  return config.num_attention_heads * config.attention_head_dim;
}

/** The paths of the cross-attentions. */
export const sanaCrossAttentions = ({ num_layers }: SanaConfig): string[] =>
  Array.from({ length: num_layers }, (_, i) => `transformer_blocks.${i}.attn2`);

/** The linear layers of both attentions, which SANA's LoRAs adapt. */
export const sanaLinears = /\.attn[12]\.to_(q|k|v|out\.0)$/;

/**
 * Layers of {@link sanaPredict} that stay float32 under int8: those that read or write the latents, the timestep's, and the queries
 * of the cross-attention, whose input is not normalised.
 */
export const sanaFloat32 = /^patch_embed\.|^proj_out$|^time_embed\.|\.attn2\.to_q$/;

/** The epsilon of the norms of captions, queries and keys. */
const rmsEpsilon = 1e-5;

/** A block's text inputs: keys and values of its cross-attention. */
const textInputs = (path: string) => ({ keys: `${path}.keys`, values: `${path}.values` });

/**
 * Records the text side: the projected caption, and from it the keys and values of every cross-attention, with the adapters at
 * `transformer.sites`.
 *
 * Inputs: `text` [batch, tokens, caption_channels], and `mask` [batch, tokens], 1 for a token and 0 for padding. Outputs are inputs
 * of {@link sanaPredict}: keys and values [batch, tokens, width], and `bias` [batch, tokens].
 */
export function sanaCaption(transformer: Module, config: SanaConfig): Outputs {
  const [batch, tokens] = [symbol("batch"), symbol("tokens")];
  const text = input("text", [batch, tokens, config.caption_channels]);
  const projection = transformer.at("caption_projection");
  const projected = linearAt(projection.at("linear_2"), geluTanh(linearAt(projection.at("linear_1"), text)));
  const caption = rmsNormAt(transformer.at("caption_norm"), projected, rmsEpsilon); // [batch, tokens, width]
  const outputs: Record<string, Value> = { bias: multiply(subtract(1, input("mask", [batch, tokens])), -10000) };
  for (const i of Array(config.num_layers).keys()) {
    const module = transformer.at("transformer_blocks").at(i).at("attn2");
    const names = textInputs(module.path);
    outputs[names.keys] = normed(module, "norm_k", linearAt(module.at("to_k"), caption), config);
    outputs[names.values] = linearAt(module.at("to_v"), caption);
  }
  return outputs;
}

/**
 * Records the transformer.
 *
 * Inputs: `latents` [batch, in_channels, height, width], `timestep` [batch] from 0 to 1000, the outputs of {@link sanaCaption},
 * and the factors of the adapters at `transformer.sites`. Output: `prediction` [batch, out_channels, height, width], the flow.
 */
export function sanaPredict(transformer: Module, config: SanaConfig): Outputs {
  const batch = symbol("batch");
  const { patch_size: patch, in_channels: channels } = config;
  const side = (name: string) => multiplyDims(symbol(name), patch);
  const latents = input("latents", [batch, channels, side("height"), side("width")]);
  const patches = convAt(transformer.at("patch_embed.proj"), latents, { stride: patch }); // [batch, width, h, w]
  const time = timeEmbedding(transformer.at("time_embed"), input("timestep", [batch]));
  const bias = input("bias", [batch, symbol("tokens")]);

  let x = toTokens(patches);
  if (typeof config.interpolation_scale === "number") x = add(x, positionWaves(patches, config));
  for (const i of Array(config.num_layers).keys()) {
    const module = transformer.at("transformer_blocks").at(i);
    // A block's intermediate values are many times the size of its result, so training recomputes them.
    x = recompute((h) => block(module, h, { like: patches, modulation: time.modulation, bias, config }), x);
  }

  const [shift, scale] = tableAt(transformer, [time.embedded, time.embedded]) as [Value, Value];
  const y = linearAt(transformer.at("proj_out"), modulated(standard(x, 1e-6), shift, scale));
  return { prediction: toPixels(y, patches, config) };
}

interface BlockInputs {
  /** [batch, width, h, w]; only the shape is used. */
  readonly like: Value;
  /** Shift, scale and gate of the attention, then of the MLP, without the block's own table: [batch, 1, width] each. */
  readonly modulation: readonly Value[];
  readonly bias: Value;
  readonly config: SanaConfig;
}

/** One block: linear self-attention, cross-attention, and an MLP with a depthwise convolution. */
function block(module: Module, x: Value, { like, modulation, bias, config }: BlockInputs): Value {
  const [shift, scale, gate, mlpShift, mlpScale, mlpGate] = tableAt(module, modulation) as SixValues;
  const seen = modulated(standard(x, config.norm_eps), shift, scale);
  const looked = add(x, multiply(gate, selfAttention(module.at("attn1"), seen, config)));
  const read = add(looked, crossAttention(module.at("attn2"), looked, bias, config));
  const affine = config.norm_elementwise_affine;
  const normal = affine ? layerNormAt(module.at("norm2"), read, config.norm_eps) : standard(read, config.norm_eps);
  const pixels = toPicture(modulated(normal, mlpShift, mlpScale), like);
  return add(read, multiply(mlpGate, toTokens(glumbConv(module.at("ff"), pixels))));
}

type SixValues = [Value, Value, Value, Value, Value, Value];

/** Linear self-attention of x [batch, tokens, width]. */
function selfAttention(module: Module, x: Value, config: SanaConfig): Value {
  const { num_attention_heads: heads, attention_head_dim: size } = config;
  const [batch, tokens, width] = x.shape as [Dim, Dim, number];
  const byHead = (value: Value) => transpose(reshape(value, [batch, tokens, heads, size]), [0, 2, 3, 1]);
  const q = normed(module, "norm_q", linearAt(module.at("to_q"), x), config);
  const k = normed(module, "norm_k", linearAt(module.at("to_k"), x), config);
  const mixed = linearAttention(byHead(q), byHead(k), byHead(linearAt(module.at("to_v"), x)));
  return linearAt(module.at("to_out").at(0), reshape(transpose(mixed, [0, 3, 1, 2]), [batch, tokens, width]));
}

/** Cross-attention of x [batch, tokens, width]; the keys and values of the text are inputs. */
function crossAttention(module: Module, x: Value, bias: Value, config: SanaConfig): Value {
  const heads = config.num_cross_attention_heads;
  const names = textInputs(module.path);
  const shape = [...bias.shape, heads * config.cross_attention_head_dim];
  const q = normed(module, "norm_q", linearAt(module.at("to_q"), x), config);
  const mixed = attention(q, input(names.keys, shape), input(names.values, shape), heads, { bias });
  return linearAt(module.at("to_out").at(0), mixed);
}

/** SANA 1.5 normalises queries and keys across all heads. */
const normed = (module: Module, norm: string, x: Value, { qk_norm }: SanaConfig): Value =>
  qk_norm === "rms_norm_across_heads" ? rmsNormAt(module.at(norm), x, rmsEpsilon) : x;

/** The rows of `scale_shift_table`, each added to its part of the timestep's modulation. */
const tableAt = (module: Module, parts: readonly Value[]): Value[] =>
  parts.map((part, i) => add(part, module.value("scale_shift_table", { rows: [i, i + 1] })));

const modulated = (x: Value, shift: Value, scale: Value): Value => add(multiply(x, add(scale, 1)), shift);

/** Layer normalisation without scale and shift. */
function standard(x: Value, epsilon: number): Value {
  const width = x.shape[2] as number;
  const filled = (value: number) => constant([width], new Float32Array(width).fill(value));
  return layerNorm(x, filled(1), filled(0), epsilon);
}

/** The embedded timestep [batch, 1, width] and the six parts of the blocks' modulation. */
function timeEmbedding(module: Module, timestep: Value): { embedded: Value; modulation: Value[] } {
  const { cosines, sines } = timestepWaves(timestep, 128);
  const embedder = module.at("emb.timestep_embedder");
  const hidden = silu(linearAt(embedder.at("linear_1"), concat([cosines, sines], 2)));
  const embedded = linearAt(embedder.at("linear_2"), hidden);
  return { embedded, modulation: linearPartsAt(module.at("linear"), silu(embedded), 6) };
}

/**
 * Sinusoidal position embedding [1, h * w, width] of the patches [batch, width, h, w]: sines and cosines of the column, then of
 * the row. Pictures of all sizes are scaled to the same square.
 */
function positionWaves(patches: Value, config: SanaConfig): Value {
  const width = widthOf(config);
  const native = Math.floor(config.sample_size / config.patch_size) / config.interpolation_scale!;
  const half = width / 2;
  const frequencies = Float32Array.from({ length: half / 2 }, (_, k) => 10000 ** (-k / (half / 2)));
  const waves = (axis: number, shape: readonly Dim[]) => {
    const places = multiply(divide(positions(patches, axis), elementCount(patches, [axis])), native);
    const angles = multiply(reshape(places, shape), constant([1, 1, half / 2], frequencies));
    return concat([sin(angles), cos(angles)], 2);
  };
  const [rows, columns] = patches.shape.slice(2) as [Dim, Dim];
  const across = pad(waves(3, [1, columns, 1]), [0, 0, 0], [0, 0, half]);
  const down = pad(waves(2, [rows, 1, 1]), [0, 0, half], [0, 0, 0]);
  return reshape(add(across, down), [1, multiplyDims(rows, columns), width]);
}

/** Puts the predictions of patches, [batch, h * w, patch * patch * channels], together as a picture. */
function toPixels(y: Value, patches: Value, { patch_size: patch, out_channels: channels }: SanaConfig): Value {
  if (patch === 1) return toPicture(y, patches);
  const [batch, , rows, columns] = patches.shape as [Dim, Dim, Dim, Dim];
  const cut = transpose(reshape(y, [batch, rows, columns, patch, patch, channels]), [0, 5, 1, 3, 2, 4]);
  return reshape(cut, [batch, channels, multiplyDims(rows, patch), multiplyDims(columns, patch)]);
}
