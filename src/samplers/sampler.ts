/** What every sampler is: a plan of timesteps, and a pure function from one step's latents to the next. */

import type { NoiseSource } from "../random/noise.ts";
import type { Prediction } from "../schedules/prediction.ts";

/** What a multistep method remembers of the step before; handed back by one step and given to the next, never changed. */
export interface History {
  /** The clean latents as the step before predicted them (with CFG++ or PG++: by the re-noising output). */
  readonly clean: Float32Array;
}

/** One step of one picture. */
export interface SamplerStep {
  /** The noisy latents, flattened; not changed. */
  readonly latents: Float32Array;
  /** What the network made of `scale(latents, step)` at `timesteps[step]`. */
  readonly prediction: Prediction;
  /** 0 .. timesteps.length - 1, in order. */
  readonly step: number;
  /** The picture's own source, the one its initial latents came from; only ancestral samplers draw from it. */
  readonly noise: NoiseSource;
  /** What the step before returned; absent at the first. */
  readonly history?: History | undefined;
}

/** The outcome of one step. */
export interface SamplerResult {
  /** The latents of the next step, or of the picture after the last. */
  readonly latents: Float32Array;
  /** The clean latents as predicted at this step, for previews. */
  readonly clean: Float32Array;
  readonly history?: History | undefined;
}

/** A sampler for a given noise schedule and number of steps. It holds no state of a run. */
export interface Sampler {
  /** What the network is given at each step, noisiest first. Euler's are fractional with linspace or Karras spacing. */
  readonly timesteps: readonly number[];
  /** The initial latents are standard normal noise times this. */
  readonly initNoiseSigma: number;
  /** What the network sees of the latents at a step; may be the same array. */
  scale(latents: Float32Array, step: number): Float32Array;
  /** One step of one picture. Pure, except that an ancestral sampler draws from `noise`. */
  step(input: SamplerStep): SamplerResult;
}
