/** Latents to pictures. */

import type { Component } from "../families/model-source.ts";
import { autoencoderConfig, autoencoderDecode, pixelsPerLatent } from "../models/autoencoder-kl.ts";
import { moduleOf } from "../models/module.ts";
import { type Engine, float32, type Session } from "../runtime/index.ts";

/** A picture in memory: RGB bytes, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface Decoder {
  readonly channels: number;
  /** Pixels along one side of a latent. */
  readonly pixelsPerLatent: number;
  /** latents [channels, h, w], flattened, as the sampler left them. */
  decode(latents: Float32Array, height: number, width: number): Promise<Picture>;
}

/** The autoencoder's decoder, built when the first picture is due. */
export function lazyDecoder(engine: Engine, vae: Component): Decoder {
  const config = autoencoderConfig(vae.config);
  let session: Promise<Session> | undefined;
  return {
    channels: config.latent_channels,
    pixelsPerLatent: pixelsPerLatent(config),
    async decode(latents, height, width) {
      session ??= engine.compile("decoder", autoencoderDecode(moduleOf(vae.weights), config)).catch((error) => {
        // Another time there may be memory for it.
        session = undefined;
        throw error;
      });
      const scaled = latents.map((v) => v / config.scaling_factor);
      const { picture } = await (await session).run({
        latents: float32([1, config.latent_channels, height, width], scaled),
      });
      const [, , pixelHeight, pixelWidth] = picture!.shape as [number, number, number, number];
      return { width: pixelWidth, height: pixelHeight, data: toBytes(picture!.data as Float32Array) };
    },
  };
}

/** [3, h, w] in -1..1 to interleaved bytes, rounded half to even as the reference does. */
function toBytes(planes: Float32Array): Uint8Array {
  const pixels = planes.length / 3;
  const bytes = new Uint8ClampedArray(planes.length); // its assignment clamps, and rounds half to even
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < pixels; i++) {
      bytes[3 * i + channel] = Math.min(1, Math.max(0, planes[channel * pixels + i]! / 2 + 0.5)) * 255;
    }
  }
  return new Uint8Array(bytes.buffer);
}
