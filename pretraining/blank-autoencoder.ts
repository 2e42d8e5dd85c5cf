/** The initial tensors of an AutoencoderKL. */

import type { AutoencoderConfig } from "../src/models/autoencoder-kl.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";
import { type Blank, blank, branch, resnet } from "./blank.ts";

export function blankAutoencoder(config: AutoencoderConfig, seed: number): Map<string, Tensor> {
  const to = blank(seed);
  const { block_out_channels: widths, layers_per_block: layers, latent_channels: latents } = config;
  const last = widths.at(-1)!;

  to.conv("encoder.conv_in", widths[0]!, config.in_channels, 3);
  for (const [block, width] of widths.entries()) {
    const key = `encoder.down_blocks.${block}`;
    for (let layer = 0; layer < layers; layer++) {
      resnet(to, `${key}.resnets.${layer}`, layer === 0 ? widths[Math.max(0, block - 1)]! : width, width);
    }
    if (block < widths.length - 1) to.conv(`${key}.downsamplers.0.conv`, width, width, 3);
  }
  middle(to, "encoder.mid_block", last);
  to.norm("encoder.conv_norm_out", last);
  to.conv("encoder.conv_out", 2 * latents, last, 3);
  to.conv("quant_conv", 2 * latents, 2 * latents, 1);
  // The latents' noise starts small: log variances around -6.
  to.tensors.set("quant_conv.bias", float32([2 * latents], new Float32Array(2 * latents).fill(-6, latents)));

  to.conv("post_quant_conv", latents, latents, 1);
  to.conv("decoder.conv_in", last, latents, 3);
  middle(to, "decoder.mid_block", last);
  const mirrored = widths.toReversed();
  for (const [block, width] of mirrored.entries()) {
    const key = `decoder.up_blocks.${block}`;
    for (let layer = 0; layer <= layers; layer++) {
      resnet(to, `${key}.resnets.${layer}`, layer === 0 ? mirrored[Math.max(0, block - 1)]! : width, width);
    }
    if (block < widths.length - 1) to.conv(`${key}.upsamplers.0.conv`, width, width, 3);
  }
  to.norm("decoder.conv_norm_out", widths[0]!);
  to.conv("decoder.conv_out", config.out_channels, widths[0]!, 3);
  return to.tensors;
}

function middle(to: Blank, key: string, width: number): void {
  resnet(to, `${key}.resnets.0`, width, width);
  to.norm(`${key}.attentions.0.group_norm`, width);
  for (const name of ["to_q", "to_k", "to_v"]) to.linear(`${key}.attentions.0.${name}`, width, width);
  to.linear(`${key}.attentions.0.to_out.0`, width, width, { gain: branch });
  resnet(to, `${key}.resnets.1`, width, width);
}
