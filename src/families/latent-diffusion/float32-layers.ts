/**
 * U-Net layers that stay float32 when the others are int8: the first and last convolution, which read and write the latents;
 * the timestep's layers, which have a single row; and the shortcuts, whose input is not normalised and has a wide range.
 */
export const float32Layers: Readonly<Record<string, RegExp>> = {
  unet: /^conv_(in|out)$|^time_embedding\.|\.time_emb_proj$|\.conv_shortcut$/,
};
