/** A sampler: its timesteps, and a pure function from one step's latents to the next. */

import type { NoiseSource } from "../random/noise.ts";
import type { Prediction } from "../schedules/prediction.ts";

/** What a multistep method keeps from the previous step; returned by one step, passed to the next, never changed. */
export interface History {
  /** The clean latents predicted at the previous step (with CFG++ or PG++, from the re-noising output). */
  readonly clean: Float32Array;
}

/** One step of one picture. */
export interface SamplerStep {
  /** The noisy latents, flattened; not changed. */
  readonly latents: Float32Array;
  /** The network's prediction from `scale(latents, step)` at `timesteps[step]`. */
  readonly prediction: Prediction;
  /** 0 .. timesteps.length - 1, in order. */
  readonly step: number;
  /** The picture's noise source, which its initial latents came from; only ancestral samplers draw from it. */
  readonly noise: NoiseSource;
  /** As returned by the previous step; absent at the first. */
  readonly history?: History | undefined;
}

/** The outcome of one step. */
export interface SamplerResult {
  /** The next step's latents; after the last step, the picture's. */
  readonly latents: Float32Array;
  /** The clean latents predicted at this step, for previews. */
  readonly clean: Float32Array;
  readonly history?: History | undefined;
}

/** A sampler for a given noise schedule and number of steps. It keeps no state between calls. */
export interface Sampler {
  /** The timestep the network is given at each step, noisiest first. Euler's are fractional with linspace or Karras spacing. */
  readonly timesteps: readonly number[];
  /** The initial latents are standard normal noise times this. */
  readonly initNoiseSigma: number;
  /** The network's input for the latents at a step; may be the same array. */
  scale(latents: Float32Array, step: number): Float32Array;
  /** Clean latents with standard normal noise added, as the latents are before a step: to start there from a picture. */
  addNoise(clean: Float32Array, noise: Float32Array, step: number): Float32Array;
  /** One step of one picture. Pure, except that an ancestral sampler draws from `noise`. */
  step(input: SamplerStep): SamplerResult;
}
