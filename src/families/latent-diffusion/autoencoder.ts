/** Latents of an AutoencoderKL. */
import {
  autoencoderConfig,
  autoencoderDecode,
  autoencoderEncode,
  pixelsPerLatent,
} from "../../models/autoencoder-kl.ts";
import { recorded } from "../../models/recorded.ts";
import type { Component, LatentCodec } from "../family.ts";

/**
 * The codec of an AutoencoderKL, the component `vae`.
 *
 * @param wide Whether it overflows float16.
 */
export function latentCodec(vae: Component, { wide = false }: { wide?: boolean } = {}): LatentCodec {
  const config = autoencoderConfig(vae.config);
  return {
    ...(wide && { wide }),
    component: "vae",
    channels: config.latent_channels,
    pixelsPerLatent: pixelsPerLatent(config),
    // As in Diffusers for an autoencoder with a sample_size of 512: a quarter of a tile overlaps.
    tiles: { size: 512 / pixelsPerLatent(config), stride: 384 / pixelsPerLatent(config) },
    encode: (modules) =>
      recorded("autoencoder", () => ({ encoded: autoencoderEncode(modules("vae"), config).moments! })),
    random: true,
    // `moments` holds the means, then the log variances: (mean + std * noise) * scaling factor.
    sample: (moments, noise) =>
      noise.map((eps, i) => {
        const logVariance = Math.min(20, Math.max(-30, moments[noise.length + i]!));
        return (moments[i]! + Math.exp(0.5 * logVariance) * eps) * config.scaling_factor;
      }),
    mean: (moments) => moments.slice(0, moments.length / 2),
    unscaled: (latents) => latents.map((v) => v / config.scaling_factor),
    decode: (modules) => recorded("autoencoder", () => autoencoderDecode(modules("vae"), config)),
  };
}
