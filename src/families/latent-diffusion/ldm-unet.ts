/** The U-Net of an LDM single file, with Diffusers' key names and config. */

import type { TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { SplitComponent } from "../family.ts";
import { count, size } from "./ldm-shapes.ts";

const outer: Readonly<Record<string, string>> = {
  "time_embed.0": "time_embedding.linear_1",
  "time_embed.2": "time_embedding.linear_2",
  "label_emb.0.0": "add_embedding.linear_1",
  "label_emb.0.2": "add_embedding.linear_2",
  "input_blocks.0.0": "conv_in",
  "out.0": "conv_norm_out",
  "out.2": "conv_out",
};

const inResnet: Readonly<Record<string, string>> = {
  "in_layers.0": "norm1",
  "in_layers.2": "conv1",
  "emb_layers.1": "time_emb_proj",
  "out_layers.0": "norm2",
  "out_layers.3": "conv2",
  skip_connection: "conv_shortcut",
};

/**
 * LDM numbers its blocks consecutively: from `input_blocks.1`, the resnets of level 0, their downsampler, the resnets of
 * level 1, …; `output_blocks` likewise on the way up, with the upsampler as the last part of a level's last block.
 *
 * What shapes do not show is set as in LDM: 8 heads if the projections are convolutions (SD 1.x), heads of size 64 if they
 * are linear (SD 2.x, SDXL), 32 groups.
 *
 * @param ldm Keys without `model.diffusion_model.`.
 */
export function ldmUnet(ldm: Checkpoint, file: string): SplitComponent {
  const inputs = highest(ldm, /^input_blocks\.(\d{1,3})\./) + 1;
  const levels: { resnets: number[]; down?: number }[] = [{ resnets: [] }];
  for (let i = 1; i < inputs; i++) {
    const level = levels.at(-1)!;
    if (ldm.has(`input_blocks.${i}.0.op.weight`)) {
      level.down = i;
      levels.push({ resnets: [] });
    } else level.resnets.push(i);
  }
  const perBlock = levels[0]!.resnets.length;
  if (perBlock === 0 || levels.some(({ resnets }) => resnets.length !== perBlock)) {
    throw new TillerError(
      "model-unsupported",
      `${file} has a U-Net whose input_blocks are not arranged as in Stable Diffusion.`,
      { paths: [file] },
    );
  }
  const levelOf = new Map(levels.flatMap(({ resnets }, l) => resnets.map((i, j) => [i, [l, j] as const] as const)));
  const downOf = new Map(levels.flatMap(({ down }, l) => (down === undefined ? [] : [[down, l] as const])));

  const weights = new Map<string, TensorRef>();
  for (const [key, ref] of ldm) {
    const name = rename(key, perBlock, levelOf, downOf);
    if (name === undefined)
      throw new TillerError("model-unsupported", `${file} has ${ref.name}, which no Stable Diffusion U-Net has.`, {
        paths: [file],
      });
    weights.set(name, ref);
  }

  const axis = (key: string, i: number) => size(weights, key, i, file);
  const channels = levels.map((_, l) => axis(`down_blocks.${l}.resnets.0.conv2.weight`, 0));
  const attends = levels.map((_, l) => weights.has(`down_blocks.${l}.attentions.0.proj_in.weight`));
  const projection = weights.get("mid_block.attentions.0.proj_in.weight");
  const linear = projection?.shape.length === 2;
  const depths = levels.map((_, l) => Math.max(1, blocksAt(weights, `down_blocks.${l}.attentions.0`)));
  for (const key of weights.keys()) {
    const [, at, side, block] = /^((down|mid|up)_block(?:s\.(\d+))?\.attentions\.\d+)\.norm\.weight$/.exec(key) ?? [];
    if (at === undefined) continue;
    const last = levels.length - 1;
    const level = side === "mid" ? last : side === "up" ? last - Number(block) : Number(block);
    // A middle block may be deeper than a level without attention.
    const expected = attends[level] ? depths[level] : blocksAt(weights, at);
    if (blocksAt(weights, at) !== expected)
      throw new TillerError(
        "model-unsupported",
        `${file} has a U-Net with ${blocksAt(weights, at)} transformer blocks in ${at} where ${expected} are usual, like distilled models: pass its Diffusers folder.`,
        { paths: [file] },
      );
  }
  if (!attends.at(-1)) depths[depths.length - 1] = Math.max(1, blocksAt(weights, "mid_block.attentions.0"));
  const derived = {
    in_channels: axis("conv_in.weight", 1),
    out_channels: axis("conv_out.weight", 0),
    block_out_channels: channels,
    layers_per_block: perBlock,
    down_block_types: attends.map((a) => (a ? "CrossAttnDownBlock2D" : "DownBlock2D")),
    up_block_types: attends.map((a) => (a ? "CrossAttnUpBlock2D" : "UpBlock2D")).reverse(),
    cross_attention_dim: axis("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1),
    use_linear_projection: linear,
    transformer_layers_per_block: depths.every((depth) => depth === depths[0]) ? depths[0] : depths,
  };
  return {
    weights,
    derived,
    config: {
      _class_name: "UNet2DConditionModel",
      ...derived,
      attention_head_dim: linear ? channels.map((c) => Math.max(1, Math.floor(c / 64))) : 8,
      mid_block_type: "UNetMidBlock2DCrossAttn",
      act_fn: "silu",
      center_input_sample: false,
      downsample_padding: 1,
      dual_cross_attention: false,
      flip_sin_to_cos: true,
      freq_shift: 0,
      mid_block_scale_factor: 1,
      norm_eps: 1e-5,
      norm_num_groups: 32,
      only_cross_attention: false,
      resnet_time_scale_shift: "default",
    },
  };
}

function rename(
  key: string,
  perBlock: number,
  levelOf: ReadonlyMap<number, readonly [level: number, layer: number]>,
  downOf: ReadonlyMap<number, number>,
): string | undefined {
  const [, stem, kind] = /^(.+)\.(weight|bias)$/.exec(key) ?? [];
  if (stem === undefined) return undefined;
  if (outer[stem]) return `${outer[stem]}.${kind}`;
  const [, side, block, part, rest] = /^(input|output)_blocks\.(\d+)\.(\d+)\.(.+)$/.exec(stem) ?? [];
  const [, midPart, midRest] = /^middle_block\.(\d+)\.(.+)$/.exec(stem) ?? [];
  if (midPart !== undefined && midRest !== undefined) {
    const i = Number(midPart);
    return i % 2 === 0
      ? resnet(`mid_block.resnets.${i / 2}`, midRest, kind)
      : `mid_block.attentions.${(i - 1) / 2}.${midRest}.${kind}`;
  }
  if (side === undefined || rest === undefined) return undefined;
  const i = Number(block);
  const down = downOf.get(i);
  if (side === "input" && down !== undefined) {
    return rest === "op" ? `down_blocks.${down}.downsamplers.0.conv.${kind}` : undefined;
  }
  const [level, layer] =
    side === "input" ? (levelOf.get(i) ?? []) : [Math.floor(i / (perBlock + 1)), i % (perBlock + 1)];
  if (level === undefined) return undefined;
  const at = `${side === "input" ? "down" : "up"}_blocks.${level}`;
  if (part === "0") return resnet(`${at}.resnets.${layer}`, rest, kind);
  if (side === "output" && rest === "conv") return `${at}.upsamplers.0.conv.${kind}`;
  return part === "1" ? `${at}.attentions.${layer}.${rest}.${kind}` : undefined;
}

function resnet(at: string, rest: string, kind: string | undefined): string | undefined {
  return inResnet[rest] ? `${at}.${inResnet[rest]}.${kind}` : undefined;
}

/** The number of transformer blocks in the attention at a path. */
const blocksAt = (weights: Checkpoint, path: string): number =>
  count(weights, `${path}.transformer_blocks.#.norm1.weight`);

/** The highest number that the pattern's group takes among the keys; -1 if it matches none. */
function highest(weights: Checkpoint, pattern: RegExp): number {
  let most = -1;
  for (const key of weights.keys()) most = Math.max(most, Number(pattern.exec(key)?.[1] ?? -1));
  return most;
}
