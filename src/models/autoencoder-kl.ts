/** The autoencoder between pictures and latents (Diffusers' AutoencoderKL). */
import { z } from "zod";
import { add, input, multiplyDims, type Outputs, silu, symbol, type Value } from "../graph/index.ts";
import { attend, keysValues, toPicture, toTokens } from "./attention.ts";
import { count, none, only, parseConfig } from "./config.ts";
import { convAt, groupNormAt, type Module } from "./module.ts";
import { resnetBlock, upsampleBlock } from "./resnet.ts";

const schema = z.object({
  in_channels: z.number().int().default(3),
  out_channels: z.number().int().default(3),
  latent_channels: z.number().int().default(4),
  block_out_channels: z.array(count),
  layers_per_block: count.default(1),
  norm_num_groups: count.default(32),
  /** Latents are the encoder's output times this. */
  scaling_factor: z.number().positive().default(0.18215),
  /** The reference pipelines for this autoencoder ignore it. */
  shift_factor: z.literal([0, null as never]).optional(),
  down_block_types: z.array(z.literal("DownEncoderBlock2D")),
  up_block_types: z.array(z.literal("UpDecoderBlock2D")),
  act_fn: only("silu"),
  /** Per-channel scaling, in SDXL derivatives such as Playground v2.5. */
  latents_mean: none,
  latents_std: none,
  mid_block_add_attention: only(true),
});

export type AutoencoderConfig = z.output<typeof schema>;

export const autoencoderConfig = (config: Readonly<Record<string, unknown>>): AutoencoderConfig =>
  parseConfig("autoencoder", schema, config);

/** Pixels per latent, along one side: 8 for Stable Diffusion. */
export const pixelsPerLatent = (config: AutoencoderConfig): number => 2 ** (config.block_out_channels.length - 1);

const epsilon = 1e-6;
const padding = [1, 1, 1, 1] as const;

/**
 * Records the decoder.
 *
 * Input, unless given: `latents` [batch, latent_channels, h, w], already divided by the scaling factor. Output: `picture`
 * [batch, 3, 8 h, 8 w], about -1 to 1.
 */
export function autoencoderDecode(
  vae: Module,
  config: AutoencoderConfig,
  latents: Value = input("latents", [symbol("batch"), config.latent_channels, symbol("height"), symbol("width")]),
): Outputs {
  const norm = { groups: config.norm_num_groups, epsilon };
  const decoder = vae.at("decoder");
  let x = latents;
  if (vae.has("post_quant_conv.weight")) x = convAt(vae.at("post_quant_conv"), x);
  x = middle(decoder.at("mid_block"), convAt(decoder.at("conv_in"), x, { padding }), config);
  for (const block of config.up_block_types.keys()) {
    const module = decoder.at("up_blocks").at(block);
    for (let layer = 0; layer <= config.layers_per_block; layer++) {
      x = resnetBlock(module.at("resnets").at(layer), x, undefined, norm);
    }
    if (block < config.up_block_types.length - 1) {
      x = upsampleBlock(module.at("upsamplers.0"), x, multiplyDims(x.shape[2]!, 2), multiplyDims(x.shape[3]!, 2));
    }
  }
  x = silu(groupNormAt(decoder.at("conv_norm_out"), x, norm.groups, epsilon));
  return { picture: convAt(decoder.at("conv_out"), x, { padding }) };
}

/**
 * Records the encoder.
 *
 * Input, unless given: `picture` [batch, 3, h, w], -1 to 1. Output: `moments` [batch, 2 * latent_channels, h/8, w/8]: the mean,
 * then the log variance (which the reference clamps to -30..20), before the scaling factor.
 */
export function autoencoderEncode(
  vae: Module,
  config: AutoencoderConfig,
  picture: Value = input("picture", [symbol("batch"), config.in_channels, symbol("height"), symbol("width")]),
): Outputs {
  const norm = { groups: config.norm_num_groups, epsilon };
  const encoder = vae.at("encoder");
  let x = convAt(encoder.at("conv_in"), picture, { padding });
  for (const block of config.down_block_types.keys()) {
    const module = encoder.at("down_blocks").at(block);
    for (let layer = 0; layer < config.layers_per_block; layer++) {
      x = resnetBlock(module.at("resnets").at(layer), x, undefined, norm);
    }
    if (block < config.down_block_types.length - 1) {
      x = convAt(module.at("downsamplers.0.conv"), x, { stride: 2, padding: [0, 0, 1, 1] });
    }
  }
  x = silu(groupNormAt(encoder.at("conv_norm_out"), middle(encoder.at("mid_block"), x, config), norm.groups, epsilon));
  x = convAt(encoder.at("conv_out"), x, { padding });
  return { moments: vae.has("quant_conv.weight") ? convAt(vae.at("quant_conv"), x) : x };
}

/** Residual block, single-head self-attention over all pixels, residual block. */
function middle(module: Module, x: Value, config: AutoencoderConfig): Value {
  const norm = { groups: config.norm_num_groups, epsilon };
  const h = resnetBlock(module.at("resnets.0"), x, undefined, norm);
  const attn = module.at("attentions.0");
  const tokens = toTokens(groupNormAt(attn.at("group_norm"), h, norm.groups, epsilon));
  const attended = add(h, toPicture(attend(attn, tokens, keysValues(attn, tokens), 1), h));
  return resnetBlock(module.at("resnets.1"), attended, undefined, norm);
}
