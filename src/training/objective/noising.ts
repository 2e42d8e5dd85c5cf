/** The noised input of the network and its target: the training side of the noise schedule. */
import type { Schedule } from "../../schedules/level.ts";

export interface Noising {
  /** Number of training timesteps. */
  readonly timesteps: number;
  /** The timestep at an index below that. */
  timestepAt(index: number): number;
  /** x_t = alpha x0 + sigma eps. */
  noised(clean: Float32Array, noise: Float32Array, timestep: number): Float32Array;
  /** eps, v = alpha eps - sigma x0, x0, or the flow eps - x0, by what the model predicts. */
  target(clean: Float32Array, noise: Float32Array, timestep: number): Float32Array;
  /** The factor of min-SNR weighting (arXiv 2303.09556): min(snr, gamma) / snr for eps, / (snr + 1) for v. */
  minSnrWeight(timestep: number, gamma: number): number;
}

export function noisingOf(schedule: Schedule): Noising {
  const { prediction, timesteps } = schedule;
  const mix = (a: Float32Array, factorA: number, b: Float32Array, factorB: number) =>
    a.map((value, i) => factorA * value + factorB * b[i]!);
  return {
    timesteps,
    timestepAt: schedule.timestepAt,
    noised(clean, eps, timestep) {
      const { alpha, sigma } = schedule.level(timestep);
      return mix(clean, alpha, eps, sigma);
    },
    target(clean, eps, timestep) {
      if (prediction === "epsilon") return eps;
      if (prediction === "sample") return clean;
      if (prediction === "flow_prediction") return mix(eps, 1, clean, -1);
      const { alpha, sigma } = schedule.level(timestep);
      return mix(eps, alpha, clean, -sigma);
    },
    minSnrWeight(timestep, gamma) {
      const snr = schedule.snr(timestep);
      if (prediction === "sample") return Math.min(snr, gamma);
      return Math.min(snr, gamma) / (prediction === "v_prediction" ? snr + 1 : snr);
    },
  };
}
