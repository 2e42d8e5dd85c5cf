/**
 * Layers of the U-Net that stay float32 where others are multiplied as int8: the first and the last convolution, which see the
 * latents themselves; the timestep's layers, a single row each; and the shortcuts, whose input is no norm's and so ranges wide.
 */
export const float32Layers: Readonly<Record<string, RegExp>> = {
  unet: /^conv_(in|out)$|^time_embedding\.|\.time_emb_proj$|\.conv_shortcut$/,
};
