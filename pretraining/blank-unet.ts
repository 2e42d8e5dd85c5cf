/** The initial tensors of a UNet2DConditionModel. */
import { crossAttentions, type UNetConfig } from "../src/models/unet.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { type Blank, blank, branch, resnet } from "./blank.ts";

/** For configs with one number of layers for all blocks and one layer in each transformer, projections as convolutions. */
export function blankUNet(config: UNetConfig, seed: number): Map<string, Tensor> {
  const to = blank(seed);
  const { block_out_channels: widths, cross_attention_dim: text } = config;
  const layers = config.layers_per_block as number;
  const first = widths[0]!;
  const time = 4 * first;
  const attends = new Set(crossAttentions(config).map((path) => path.split(".transformer_blocks.")[0]!));
  const attention = (key: string, width: number) => {
    if (attends.has(key)) transformer(to, key, width, text);
  };

  to.conv("conv_in", first, config.in_channels, 3);
  to.linear("time_embedding.linear_1", time, first);
  to.linear("time_embedding.linear_2", time, time);
  for (const [block, width] of widths.entries()) {
    const key = `down_blocks.${block}`;
    for (let layer = 0; layer < layers; layer++) {
      resnet(to, `${key}.resnets.${layer}`, layer === 0 ? widths[Math.max(0, block - 1)]! : width, width, time);
      attention(`${key}.attentions.${layer}`, width);
    }
    if (block < widths.length - 1) to.conv(`${key}.downsamplers.0.conv`, width, width, 3);
  }

  const last = widths.at(-1)!;
  resnet(to, "mid_block.resnets.0", last, last, time);
  attention("mid_block.attentions.0", last);
  resnet(to, "mid_block.resnets.1", last, last, time);

  const mirrored = widths.toReversed();
  for (const [block, width] of mirrored.entries()) {
    const key = `up_blocks.${block}`;
    // The skip connections of the way down: this level's layers, and last the level's input.
    const below = mirrored[block + 1] ?? first;
    for (let layer = 0; layer <= layers; layer++) {
      const from = layer === 0 ? mirrored[Math.max(0, block - 1)]! : width;
      resnet(to, `${key}.resnets.${layer}`, from + (layer === layers ? below : width), width, time);
      attention(`${key}.attentions.${layer}`, width);
    }
    if (block < widths.length - 1) to.conv(`${key}.upsamplers.0.conv`, width, width, 3);
  }
  to.norm("conv_norm_out", first);
  to.conv("conv_out", config.out_channels, first, 3, branch);
  return to.tensors;
}

function transformer(to: Blank, key: string, width: number, text: number): void {
  to.norm(`${key}.norm`, width);
  to.conv(`${key}.proj_in`, width, width, 1);
  const block = `${key}.transformer_blocks.0`;
  for (const [name, context] of [
    ["attn1", width],
    ["attn2", text],
  ] as const) {
    to.linear(`${block}.${name}.to_q`, width, width, { bias: false });
    to.linear(`${block}.${name}.to_k`, width, context, { bias: false });
    to.linear(`${block}.${name}.to_v`, width, context, { bias: false });
    to.linear(`${block}.${name}.to_out.0`, width, width, { gain: branch });
  }
  for (const name of ["norm1", "norm2", "norm3"]) to.norm(`${block}.${name}`, width);
  to.linear(`${block}.ff.net.0.proj`, 8 * width, width);
  to.linear(`${block}.ff.net.2`, width, 4 * width, { gain: branch });
  to.conv(`${key}.proj_out`, width, width, 1, branch);
}
