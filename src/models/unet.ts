/**
 * The denoising U-Net of Stable Diffusion 1.x, 2.x and XL (Diffusers' UNet2DConditionModel).
 *
 * Cross-attention keys and values depend only on the text, so a separate graph ({@link textKeysValues}) computes them once
 * per prompt, and they are inputs of the U-Net. So is the embedding of SDXL's further conditions ({@link addedEmbedding}).
 */
import { z } from "zod";
import {
  add,
  average,
  concat,
  type Dim,
  gelu,
  input,
  multiply,
  type Outputs,
  reshape,
  silu,
  slice,
  symbol,
  type Value,
} from "../graph/index.ts";
import { attend, type KeysValues, keysValues, toPicture, toTokens } from "./attention.ts";
import { atBlock, count, none, off, only, parseConfig, perBlock } from "./config.ts";
import { convAt, groupNormAt, layerNormAt, linearAt, linearPartsAt, type Module } from "./module.ts";
import { resnetBlock, upsampleBlock } from "./resnet.ts";
import { timestepWaves } from "./timestep.ts";

/** Transformer blocks: one number for all levels, or for each level one number or one per attention. */
const depth = z.number().int().min(0).max(1000);
const depths = z.union([depth, z.array(z.union([depth, z.array(depth)]))]);

const schema = z.object({
  in_channels: z.number().int().default(4),
  out_channels: z.number().int().default(4),
  sample_size: z.union([z.number().int(), z.array(z.number().int()).length(2)]).nullish(),
  block_out_channels: z.array(count).default([320, 640, 1280, 1280]),
  layers_per_block: perBlock.default(2),
  down_block_types: z
    .array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"]))
    .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
  up_block_types: z
    .array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"]))
    .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
  cross_attention_dim: count,
  /** Despite its name, the number of heads, for all blocks or per block. */
  attention_head_dim: perBlock.default(8),
  num_attention_heads: perBlock.nullish(),
  transformer_layers_per_block: depths.default(1),
  reverse_transformer_layers_per_block: depths.nullish(),
  norm_num_groups: count.default(32),
  norm_eps: z.number().positive().default(1e-5),
  /** Null means false, which is not the default. */
  flip_sin_to_cos: z
    .boolean()
    .nullable()
    .default(true)
    .transform((flip) => flip ?? false),
  freq_shift: z.number().default(0),
  act_fn: only("silu"),
  /** Null in distilled networks, which have no mid block. */
  mid_block_type: z.literal(["UNetMidBlock2DCrossAttn", null as never]).default("UNetMidBlock2DCrossAttn"),
  time_embedding_type: only("positional"),
  resnet_time_scale_shift: only("default"),
  only_cross_attention: off,
  dual_cross_attention: off,
  center_input_sample: off,
  downsample_padding: only(1),
  mid_block_scale_factor: only(1),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  class_embed_type: none,
  num_class_embeds: none,
  /** SDXL's: the pooled text and six numbers, the sizes and crop. */
  addition_embed_type: z.literal(["text_time", null as never]).optional(),
  addition_time_embed_dim: count.nullish(),
  encoder_hid_dim: none,
  encoder_hid_dim_type: none,
  time_cond_proj_dim: none,
  timestep_post_act: none,
  time_embedding_act_fn: none,
  cross_attention_norm: none,
  attention_type: z.literal(["default", null as never]).optional(),
  resnet_skip_time_act: off,
  resnet_out_scale_factor: z.literal([1, null as never]).optional(),
});

export type UNetConfig = z.output<typeof schema>;

export const unetConfig = (config: Readonly<Record<string, unknown>>): UNetConfig =>
  parseConfig("U-Net", schema, config);

/** The text inputs of the cross-attention at `path`: its keys and values. */
const textInputs = (path: string) => ({ keys: `${path}.keys`, values: `${path}.values` });

/** How self-attention at the largest resolution is computed: in full, or with keys and values averaged over 2x2 pixels. */
export type AttentionForm = "exact" | "averaged";

/**
 * Records the U-Net.
 *
 * Inputs: `latents` [batch, in_channels, height, width], `timestep` [batch], keys and values of every cross-attention
 * [batch, tokens, width], and the factors of the adapters at `unet.sites`. Output: `prediction`, shaped like the latents.
 */
export function unet(unet: Module, config: UNetConfig, attentionForm: AttentionForm = "exact"): Outputs {
  const batch = symbol("batch");
  const latents = input("latents", [batch, config.in_channels, symbol("height"), symbol("width")]);
  const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps };
  const time = conditioned(timeEmbedding(unet.at("time_embedding"), input("timestep", [batch]), config), config); // [batch, 1, width]
  const text = (module: Module, width: number): KeysValues => {
    const names = textInputs(module.path);
    const shape = [batch, symbol("tokens"), width];
    return { keys: input(names.keys, shape), values: input(names.values, shape) };
  };
  const largest = config.down_block_types.indexOf("CrossAttnDownBlock2D");
  const transform = (module: Module, x: Value, block: number, layers: number): Value =>
    transformer(module, x, {
      heads: atBlock(config.num_attention_heads ?? config.attention_head_dim, block),
      layers,
      groups: norm.groups,
      text,
      averaged: attentionForm === "averaged" && block === largest,
    });
  const layersIn = transformerLayers(config);

  let x = convAt(unet.at("conv_in"), latents, { padding: [1, 1, 1, 1] });
  const skips: Value[] = [x];

  for (const [block, type] of config.down_block_types.entries()) {
    const module = unet.at("down_blocks").at(block);
    for (let layer = 0; layer < atBlock(config.layers_per_block, block); layer++) {
      x = resnetBlock(module.at("resnets").at(layer), x, time, norm);
      if (type === "CrossAttnDownBlock2D")
        x = transform(module.at("attentions").at(layer), x, block, layersIn.down(block, layer));
      skips.push(x);
    }
    if (block < config.down_block_types.length - 1) {
      x = convAt(module.at("downsamplers.0.conv"), x, { stride: 2, padding: [1, 1, 1, 1] });
      skips.push(x);
    }
  }

  if (config.mid_block_type !== null) {
    const middle = unet.at("mid_block");
    x = resnetBlock(middle.at("resnets.0"), x, time, norm);
    x = transform(middle.at("attentions.0"), x, config.down_block_types.length - 1, layersIn.middle);
    x = resnetBlock(middle.at("resnets.1"), x, time, norm);
  }

  for (const [block, type] of config.up_block_types.entries()) {
    const module = unet.at("up_blocks").at(block);
    const mirrored = config.down_block_types.length - 1 - block;
    for (let layer = 0; layer <= atBlock(config.layers_per_block, mirrored); layer++) {
      x = resnetBlock(module.at("resnets").at(layer), concat([x, skips.pop()!], 1), time, norm);
      if (type === "CrossAttnUpBlock2D") {
        x = transform(module.at("attentions").at(layer), x, mirrored, layersIn.up(block, layer));
      }
    }
    if (block < config.up_block_types.length - 1) {
      const [, , height, width] = skips.at(-1)!.shape as [Dim, Dim, Dim, Dim];
      x = upsampleBlock(module.at("upsamplers.0"), x, height, width);
    }
  }

  x = silu(groupNormAt(unet.at("conv_norm_out"), x, norm.groups, norm.epsilon));
  return { prediction: convAt(unet.at("conv_out"), x, { padding: [1, 1, 1, 1] }) };
}

/**
 * Records the U-Net's text side: keys and values of every cross-attention, with the adapters at `unet.sites`.
 *
 * Input: `text` [batch, tokens, cross_attention_dim]. Outputs have the names of the U-Net's inputs.
 */
export function textKeysValues(unet: Module, config: UNetConfig): Outputs {
  const text = input("text", [symbol("batch"), symbol("tokens"), config.cross_attention_dim]);
  const outputs: Record<string, Value> = {};
  for (const path of crossAttentions(config)) {
    const module = path.split(".").reduce<Module>((at, name) => at.at(name), unet);
    const names = textInputs(path);
    const { keys, values } = keysValues(module, text);
    outputs[names.keys] = keys;
    outputs[names.values] = values;
  }
  return outputs;
}

/** The paths of all cross-attentions, in execution order. */
export function crossAttentions(config: UNetConfig): string[] {
  const paths: string[] = [];
  const transformerAt = (path: string, layers: number) => {
    for (let i = 0; i < layers; i++) paths.push(`${path}.transformer_blocks.${i}.attn2`);
  };
  const layersIn = transformerLayers(config);
  const last = config.down_block_types.length - 1;
  for (const [block, type] of config.down_block_types.entries()) {
    if (type !== "CrossAttnDownBlock2D") continue;
    for (let layer = 0; layer < atBlock(config.layers_per_block, block); layer++) {
      transformerAt(`down_blocks.${block}.attentions.${layer}`, layersIn.down(block, layer));
    }
  }
  if (config.mid_block_type !== null) transformerAt("mid_block.attentions.0", layersIn.middle);
  for (const [block, type] of config.up_block_types.entries()) {
    if (type !== "CrossAttnUpBlock2D") continue;
    for (let layer = 0; layer <= atBlock(config.layers_per_block, last - block); layer++) {
      transformerAt(`up_blocks.${block}.attentions.${layer}`, layersIn.up(block, layer));
    }
  }
  return paths;
}

/** The number of transformer blocks in each attention; on the way up that of the mirrored level, unless the config has its own. */
function transformerLayers({
  transformer_layers_per_block: down,
  reverse_transformer_layers_per_block: reverse,
  down_block_types: { length: levels },
}: UNetConfig) {
  const at = (depths: typeof down, block: number, layer: number): number => {
    const depth = typeof depths === "number" ? depths : depths[block]!;
    return typeof depth === "number" ? depth : depth[layer]!;
  };
  return {
    down: (block: number, layer: number) => at(down, block, layer),
    middle: at(down, levels - 1, 0),
    up: (block: number, layer: number) => (reverse ? at(reverse, block, layer) : at(down, levels - 1 - block, layer)),
  };
}

/** The input of {@link unet} that {@link addedEmbedding} outputs. */
const added = "added_embedding";

/** The time embedding, plus that of the further conditions if the network has them. */
function conditioned(time: Value, config: UNetConfig): Value {
  return config.addition_embed_type == null ? time : add(time, input(added, time.shape));
}

/**
 * Records the embedding of SDXL's further conditions, for {@link unet}.
 *
 * Inputs: `text_embeds` [batch, width], the pooled text, and `time_ids` [batch, 6], sizes and crop in pixels.
 */
export function addedEmbedding(unet: Module, config: UNetConfig): Outputs {
  const module = unet.at("add_embedding");
  const [batch, half] = [symbol("batch"), config.addition_time_embed_dim! / 2];
  const wide = module.shape("linear_1.weight")[1]! - 6 * 2 * half;
  const ids = input("time_ids", [batch, 6]);
  const waves = Array.from({ length: 6 }, (_, i) => {
    const { cosines, sines } = timestepWaves(slice(ids, 1, i, i + 1), half, config.freq_shift);
    return config.flip_sin_to_cos ? [cosines, sines] : [sines, cosines];
  });
  const text = reshape(input("text_embeds", [batch, wide]), [batch, 1, wide]);
  const all = concat([text, ...waves.flat()], 2); // [batch, 1, text and 6 sinusoids]
  return { [added]: linearAt(module.at("linear_2"), silu(linearAt(module.at("linear_1"), all))) };
}

/** Sinusoids of the timestep through two linear layers: [batch] to [batch, 1, width]. */
function timeEmbedding(module: Module, timestep: Value, config: UNetConfig): Value {
  const { cosines, sines } = timestepWaves(timestep, config.block_out_channels[0]! / 2, config.freq_shift);
  const waves = config.flip_sin_to_cos ? [cosines, sines] : [sines, cosines];
  return linearAt(module.at("linear_2"), silu(linearAt(module.at("linear_1"), concat(waves, 2))));
}

interface TransformerOptions {
  readonly heads: number;
  readonly layers: number;
  readonly groups: number;
  readonly text: (module: Module, width: number) => KeysValues;
  /** Whether keys and values of self-attention are averaged over 2x2 pixels. */
  readonly averaged: boolean;
}

/** Diffusers' Transformer2DModel: x [batch, channels, h, w], as tokens, through its blocks, added to x. */
function transformer(module: Module, x: Value, { heads, layers, groups, text, averaged }: TransformerOptions): Value {
  const width = x.shape[1] as number;
  // A 1x1 convolution on pixels is a linear layer on tokens, so proj_in and proj_out are always linear here.
  let h = linearAt(module.at("proj_in"), toTokens(groupNormAt(module.at("norm"), x, groups, 1e-6)));
  for (let i = 0; i < layers; i++) {
    const block = module.at("transformer_blocks").at(i);
    const self = layerNormAt(block.at("norm1"), h);
    // Projections are linear, so averaging their inputs averages the keys and values.
    const seen = averaged ? toTokens(average(toPicture(self, x))) : self;
    h = add(h, attend(block.at("attn1"), self, keysValues(block.at("attn1"), seen), heads));
    h = add(h, attend(block.at("attn2"), layerNormAt(block.at("norm2"), h), text(block.at("attn2"), width), heads));
    h = add(h, feedForward(block.at("ff.net"), layerNormAt(block.at("norm3"), h)));
  }
  return add(x, toPicture(linearAt(module.at("proj_out"), h), x));
}

/** GEGLU: (x V) * gelu(x W), then back to the width. V and W are the two halves of `0.proj`. */
function feedForward(module: Module, x: Value): Value {
  const [value, gate] = linearPartsAt(module.at("0.proj"), x, 2) as [Value, Value];
  return linearAt(module.at("2"), multiply(value, gelu(gate)));
}
