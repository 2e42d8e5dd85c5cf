/**
 * What drawing starts from: noise, or a given picture with noise; and what stays of the picture under a mask.
 *
 * A picture's noise is drawn in the order of Diffusers' pipelines: for the latents of the given picture, for the noise added to
 * them, for the latents of the masked picture.
 */
import { fitted } from "../images/fit.ts";
import { latentMask, maskOf } from "../images/mask.ts";
import { planesIn } from "../images/pixels.ts";
import type { NoiseSource } from "../random/noise.ts";
import { stepsOf } from "../recipe/request.ts";
import type { Sampler, SamplerResult } from "../samplers/index.ts";
import type { Filled } from "./fill.ts";
import type { GivenPictures } from "./given-picture.ts";
import type { Parts } from "./load.ts";

/** How one picture begins. */
export interface Beginning {
  /** Its latents before the first step. */
  readonly latents: Float32Array;
  /** The network's input for scaled latents: with what it sees of the given picture. */
  seen(latents: Float32Array): Float32Array;
  /** A step's result with what stays of the given picture. */
  kept(result: SamplerResult, step: number): SamplerResult;
}

/** How all pictures of a request begin. */
export interface Start {
  /** Warnings about the mask. */
  readonly warnings: readonly string[];
  /** Encodes the given picture, tile by tile if `tiled`. A picture's beginning is the first to draw from its noise. */
  encoded(how: {
    readonly tiled: boolean;
    readonly signal?: AbortSignal | undefined;
  }): Promise<(noise: NoiseSource) => Beginning>;
}

/** The beginning of a picture that neither shows anything else to the network nor keeps anything. */
const plain = (latents: Float32Array): Beginning => ({ latents, seen: (now) => now, kept: (result) => result });

export function startOf(
  { model, encoder }: Pick<Parts, "model" | "encoder">,
  request: Filled,
  given: GivenPictures | undefined,
  sampler: Sampler,
): Start {
  const { channels, pixelsPerLatent, random, sample } = model.latents;
  const { width, height } = request;
  const count = (channels * height * width) / pixelsPerLatent ** 2;
  const pureNoise = (noise: Float32Array) => noise.map((v) => v * sampler.initNoiseSigma);
  if (!given) return { warnings: [], encoded: async () => (noise) => plain(pureNoise(noise.normal(count))) };

  const first = request.steps - stepsOf(request);
  const planes = planesIn(fitted(given.image, request).data);
  const { sha256 } = given.image.recorded;
  const encode = async (key: string, of: Float32Array, tiled: boolean) => {
    const encoded = await encoder.encode({ key, width, height, planes: of }, tiled);
    return (noise: NoiseSource) => sample(encoded, random ? noise.normal(count) : new Float32Array(count));
  };
  if (model.denoiser.sees === "picture") {
    return {
      warnings: [],
      async encoded({ tiled }) {
        const encoded = await encoder.encode({ key: sha256, width, height, planes }, tiled);
        const picture = model.latents.mean(encoded);
        const began = (noise: NoiseSource) =>
          request.strength === 1
            ? pureNoise(noise.normal(count))
            : sampler.addNoise(sample(encoded, noise.normal(count)), noise.normal(count), first);
        return (noise) => ({
          latents: began(noise),
          seen: (now) => joined(now, picture),
          kept: (result) => result,
        });
      },
    };
  }
  if (!given.mask) {
    return {
      warnings: [],
      async encoded({ tiled }) {
        const latentsOf = await encode(sha256, planes, tiled);
        return (noise) => plain(sampler.addNoise(latentsOf(noise), noise.normal(count), first));
      },
    };
  }

  const mask = maskOf(fitted(given.mask, request));
  const repainted = latentMask(mask, request, pixelsPerLatent);
  const warnings = doubtsAbout(mask, repainted);
  // A strength of 1 keeps nothing of the picture where it is repainted.
  const began = (picture: Float32Array, added: Float32Array) =>
    request.strength === 1 ? pureNoise(added) : sampler.addNoise(picture, added, first);

  if (model.denoiser.sees === undefined) {
    const onlyWhite = (white: Float32Array, black: Float32Array) =>
      white.map((value, i) => (repainted[i % repainted.length] === 1 ? value : black[i]!));
    return {
      warnings,
      async encoded({ tiled }) {
        const latentsOf = await encode(sha256, planes, tiled);
        return (noise) => {
          const picture = latentsOf(noise);
          const added = noise.normal(count);
          // Diffusers also samples the latents of the masked picture, which these models do not see.
          if (random) noise.normal(count);
          return {
            latents: began(picture, added),
            seen: (now) => now,
            kept({ latents, clean, ...rest }, step) {
              const last = step === sampler.timesteps.length - 1;
              const around = last ? picture : sampler.addNoise(picture, added, step + 1);
              return { ...rest, latents: onlyWhite(latents, around), clean: onlyWhite(clean, picture) };
            },
          };
        };
      },
    };
  }

  return {
    warnings,
    async encoded({ tiled, signal }) {
      // The whole picture is needed only to start from.
      const wholeOf = request.strength === 1 ? () => new Float32Array(count) : await encode(sha256, planes, tiled);
      signal?.throwIfAborted();
      const grey = planes.map((value, i) => (mask[i % mask.length] === 1 ? 0 : value));
      const maskedOf = await encode(`${sha256} without ${given.mask!.recorded.sha256}`, grey, tiled);
      return (noise) => {
        const picture = wholeOf(noise);
        const latents = began(picture, noise.normal(count));
        const masked = maskedOf(noise);
        return { latents, seen: (now) => joined(now, repainted, masked), kept: (result) => result };
      };
    },
  };
}

/** One after the other. */
function joined(...parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One sentence if the mask is probably not what was meant. */
function doubtsAbout(mask: Float32Array, repainted: Float32Array): string[] {
  if (!mask.includes(1)) return ["the mask is all black, so nothing is repainted: white is"];
  if (!mask.includes(0)) return ["the mask is all white, so the whole picture is repainted"];
  if (!repainted.includes(1)) return ["the white parts of the mask are too small to be repainted: make them larger"];
  return [];
}
