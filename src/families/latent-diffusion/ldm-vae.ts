/** The autoencoder of an LDM single file, with Diffusers' key names and config. */

import type { TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { SplitComponent } from "../family.ts";
import { count, size } from "./ldm-shapes.ts";
import { withoutUnitAxes } from "./spelling.ts";

const attention: Readonly<Record<string, string>> = {
  norm: "group_norm",
  q: "to_q",
  k: "to_k",
  v: "to_v",
  proj_out: "to_out.0",
};

/**
 * LDM numbers the decoder's levels from the finest, Diffusers in the order they run: `decoder.up.0` is the last of
 * `decoder.up_blocks`. The shapes do not show by how much latents are scaled, and the usual size of pictures.
 *
 * @param ldm Keys without `first_stage_model.`.
 */
export function ldmVae(
  ldm: Checkpoint,
  file: string,
  usual: { readonly scaling_factor: number; readonly sample_size: number },
): SplitComponent {
  const levels = count(ldm, "decoder.up.#.block.0.conv1.weight");
  const weights = new Map<string, TensorRef>();
  for (const [key, ref] of ldm) {
    if (/^(loss|model_ema)\./.test(key)) continue;
    const name = rename(key, levels);
    if (name === undefined)
      throw new TillerError(
        "model-unsupported",
        `${file} has ${ref.name}, which no Stable Diffusion autoencoder has.`,
        { paths: [file] },
      );
    weights.set(name, /\.to_(q|k|v|out\.0)\.weight$/.test(name) ? withoutUnitAxes(ref) : ref);
  }
  const axis = (key: string, i: number) => size(weights, key, i, file);
  const blocks = count(weights, "encoder.down_blocks.#.resnets.0.conv2.weight");
  const derived = {
    in_channels: axis("encoder.conv_in.weight", 1),
    out_channels: axis("decoder.conv_out.weight", 0),
    latent_channels: axis("decoder.conv_in.weight", 1),
    block_out_channels: Array.from({ length: blocks }, (_, i) =>
      axis(`encoder.down_blocks.${i}.resnets.0.conv2.weight`, 0),
    ),
    layers_per_block: count(weights, "encoder.down_blocks.0.resnets.#.conv1.weight"),
  };
  return {
    weights,
    derived,
    config: {
      _class_name: "AutoencoderKL",
      ...derived,
      down_block_types: Array(blocks).fill("DownEncoderBlock2D"),
      up_block_types: Array(blocks).fill("UpDecoderBlock2D"),
      act_fn: "silu",
      norm_num_groups: 32,
      ...usual,
    },
  };
}

function rename(key: string, levels: number): string | undefined {
  const [, stem, kind] = /^(.+)\.(weight|bias)$/.exec(key) ?? [];
  if (stem === undefined) return undefined;
  if (/^(post_)?quant_conv$/.test(stem) || /^(en|de)coder\.conv_(in|out)$/.test(stem)) return key;
  const [, tower, rest] = /^((?:en|de)coder)\.(.+)$/.exec(stem) ?? [];
  if (tower === undefined || rest === undefined) return undefined;
  if (rest === "norm_out") return `${tower}.conv_norm_out.${kind}`;
  const [, midBlock, midPart] = /^mid\.block_([12])\.(\w+)$/.exec(rest) ?? [];
  if (midBlock !== undefined) return `${tower}.mid_block.resnets.${Number(midBlock) - 1}.${resnet(midPart!)}.${kind}`;
  const [, part] = /^mid\.attn_1\.(\w+)$/.exec(rest) ?? [];
  if (part !== undefined) {
    return attention[part] ? `${tower}.mid_block.attentions.0.${attention[part]}.${kind}` : undefined;
  }
  const [, direction, number, inner] = /^(down|up)\.(\d{1,2})\.(.+)$/.exec(rest) ?? [];
  if (direction === undefined || inner === undefined) return undefined;
  const level = direction === "up" ? levels - 1 - Number(number) : Number(number);
  const at = `${tower}.${direction}_blocks.${level}`;
  if (inner === `${direction}sample.conv`) return `${at}.${direction}samplers.0.conv.${kind}`;
  const [, block, blockPart] = /^block\.(\d{1,2})\.(\w+)$/.exec(inner) ?? [];
  return block === undefined ? undefined : `${at}.resnets.${block}.${resnet(blockPart!)}.${kind}`;
}

function resnet(part: string): string {
  return part === "nin_shortcut" ? "conv_shortcut" : part;
}
