/** The residual block and the resampling convolutions that the U-Net and the autoencoder share. */
import { add, type Dim, reshape, silu, transpose, upsample, type Value } from "../graph/index.ts";
import { convAt, groupNormAt, linearAt, type Module } from "./module.ts";

export interface NormOptions {
  readonly groups: number;
  readonly epsilon: number;
}

/** x + conv(silu(norm(conv(silu(norm(x))) + time))); `time` [batch, 1, width] is absent in the autoencoder. */
export function resnetBlock(
  module: Module,
  x: Value,
  time: Value | undefined,
  { groups, epsilon }: NormOptions,
): Value {
  const padding = [1, 1, 1, 1] as const;
  let h = convAt(module.at("conv1"), silu(groupNormAt(module.at("norm1"), x, groups, epsilon)), { padding });
  if (time) {
    const shift = linearAt(module.at("time_emb_proj"), silu(time)); // [batch, 1, channels]
    h = add(h, reshape(transpose(shift, [0, 2, 1]), [shift.shape[0]!, shift.shape[2]!, 1, 1]));
  }
  h = convAt(module.at("conv2"), silu(groupNormAt(module.at("norm2"), h, groups, epsilon)), { padding });
  return add(module.has("conv_shortcut.weight") ? convAt(module.at("conv_shortcut"), x) : x, h);
}

/** Nearest-neighbour upsampling to `height` x `width`, then a 3x3 convolution. */
export const upsampleBlock = (module: Module, x: Value, height: Dim, width: Dim): Value =>
  convAt(module.at("conv"), upsample(x, height, width), { padding: [1, 1, 1, 1] });
