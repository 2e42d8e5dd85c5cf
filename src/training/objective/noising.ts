/** What the network sees of a picture and what it is to predict: the training side of the noise schedule. */
import { parseConfig } from "../../samplers/config.ts";
import type { PredictionType } from "../../schedules/prediction.ts";
import { alphasCumprod } from "../../schedules/schedule.ts";

export interface Noising {
  /** Timesteps of training: 0 to this - 1. */
  readonly timesteps: number;
  /** x_t = sqrt(alpha-bar_t) x0 + sqrt(1 - alpha-bar_t) eps. */
  noised(clean: Float32Array, noise: Float32Array, timestep: number): Float32Array;
  /** eps, v = sqrt(alpha-bar_t) eps - sqrt(1 - alpha-bar_t) x0, or x0, as the model predicts. */
  target(clean: Float32Array, noise: Float32Array, timestep: number): Float32Array;
  /** The factor of min-SNR weighting (arXiv 2303.09556): min(snr, gamma) / snr for eps, / (snr + 1) for v. */
  minSnrWeight(timestep: number, gamma: number): number;
}

/** From the folder's scheduler config, whatever sampler it names. */
export function noisingOf(scheduler: Readonly<Record<string, unknown>>): Noising {
  const config = parseConfig("ddim", scheduler);
  const alphas = alphasCumprod(config);
  const type: PredictionType = config.prediction_type;
  const mix = (a: Float32Array, factorA: number, b: Float32Array, factorB: number) =>
    a.map((value, i) => factorA * value + factorB * b[i]!);
  const factors = (timestep: number) => {
    const alpha = alphas[timestep]!;
    return { signal: Math.fround(Math.sqrt(alpha)), noise: Math.fround(Math.sqrt(Math.fround(1 - alpha))) };
  };
  return {
    timesteps: alphas.length,
    noised(clean, eps, timestep) {
      const { signal, noise } = factors(timestep);
      return mix(clean, signal, eps, noise);
    },
    target(clean, eps, timestep) {
      const { signal, noise } = factors(timestep);
      if (type === "epsilon") return eps;
      return type === "sample" ? clean : mix(eps, signal, clean, -noise);
    },
    minSnrWeight(timestep, gamma) {
      const snr = alphas[timestep]! / (1 - alphas[timestep]!);
      if (type === "sample") return Math.min(snr, gamma);
      return Math.min(snr, gamma) / (type === "v_prediction" ? snr + 1 : snr);
    },
  };
}
