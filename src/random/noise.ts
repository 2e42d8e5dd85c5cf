/** Noise that equals PyTorch's CPU generator, so that a seed means the same picture here as in Diffusers or ComfyUI. */

import { TillerError } from "../errors/index.ts";
import { boxMuller16 } from "./box-muller.ts";
import { mersenneTwister } from "./mersenne-twister.ts";

/** A generator of standard normal values; every call advances its state. */
export interface NoiseSource {
  /** The next `count` values: what `torch.randn` gives for a tensor of that many elements, in row-major order. */
  normal(count: number): Float32Array;
}

/**
 * The noise of `torch.Generator().manual_seed(seed)`: each `normal(count)` equals the next
 * `torch.randn(shape, generator=generator, dtype=torch.float32)` on one generator: first the initial latents, then an
 * ancestral sampler's noise.
 *
 * Sixteen or more values equal PyTorch's on x86 with AVX2 bit for bit (other builds of PyTorch differ from that one by up to
 * 2e-6). Fewer use PyTorch's double-precision path and are equal after rounding to float32. As in PyTorch, that path makes
 * values in pairs and keeps the second for its next call, even across larger draws, and only the low 32 bits of the seed
 * matter: seed 2^32 + 5 equals seed 5.
 *
 * @param seed any safe integer.
 * @throws TillerError if the seed is not a safe integer.
 */
export function createNoise(seed: number): NoiseSource {
  if (!Number.isSafeInteger(seed)) {
    throw new TillerError("seed-invalid", `The seed is ${seed}; give a whole number between -(2^53 - 1) and 2^53 - 1.`);
  }
  const random = mersenneTwister(seed);
  const uniform = () => (random() & 0xffffff) * 2 ** -24;
  let spare: number | undefined;

  /** 53 random bits; the first word holds the high ones. */
  function uniformDouble(): number {
    const high = random() & 0x1fffff;
    return (high * 2 ** 32 + random()) * 2 ** -53;
  }

  function single(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const theta = 2 * Math.PI * uniformDouble();
    const radius = Math.sqrt(-2 * Math.log1p(-uniformDouble()));
    spare = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }

  return {
    normal(count) {
      const values = new Float32Array(count);
      if (count < 16) return values.map(single);

      for (let i = 0; i < count; i++) values[i] = uniform();
      for (let i = 0; i + 16 <= count; i += 16) boxMuller16(values, i);
      if (count % 16 !== 0) {
        // The last sixteen values are drawn again, overwriting those already made.
        for (let i = count - 16; i < count; i++) values[i] = uniform();
        boxMuller16(values, count - 16);
      }
      return values;
    },
  };
}
