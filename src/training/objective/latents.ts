/** Pictures to latents, by the autoencoder's encoder. */

import type { Component } from "../../families/model-source.ts";
import type { Planes } from "../../images/pixels.ts";
import { autoencoderConfig, autoencoderEncode, pixelsPerLatent } from "../../models/autoencoder-kl.ts";
import { moduleOf } from "../../models/module.ts";
import { type Engine, float32 } from "../../runtime/index.ts";

/** The distribution of a picture's latents: means, then logarithms of variances, [2 * channels, h, w]. */
export type Moments = Float32Array;

export interface LatentEncoder {
  readonly pixelsPerLatent: number;
  /** Of latents, for pictures of one size: [channels, h, w]. */
  shape(size: number): readonly [number, number, number];
  encode(picture: Planes): Promise<Moments>;
  /** mean + standard deviation * noise, times the scaling factor. */
  sample(moments: Moments, noise: Float32Array): Float32Array;
  release(): Promise<void>;
}

export async function buildLatentEncoder(engine: Engine, vae: Component): Promise<LatentEncoder> {
  const config = autoencoderConfig(vae.config);
  const session = await engine.compile("encoder", autoencoderEncode(moduleOf(vae.weights), config));
  const pixels = pixelsPerLatent(config);
  return {
    pixelsPerLatent: pixels,
    shape: (size) => [config.latent_channels, size / pixels, size / pixels],
    async encode({ size, data }) {
      const { moments } = await session.run({ picture: float32([1, 3, size, size], data) });
      return moments!.data as Float32Array;
    },
    sample: (moments, noise) =>
      noise.map((eps, i) => {
        const logVariance = Math.min(20, Math.max(-30, moments[noise.length + i]!));
        return (moments[i]! + Math.exp(0.5 * logVariance) * eps) * config.scaling_factor;
      }),
    release: () => session.release(),
  };
}
