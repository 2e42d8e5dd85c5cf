/** What training needs from a noise schedule. */
import type { PredictionType } from "./prediction.ts";

export interface Schedule {
  /** Number of training timesteps, which run from 0 to this - 1. */
  readonly timesteps: number;
  readonly prediction: PredictionType;
  /** x_t = alpha x0 + sigma eps. */
  level(timestep: number): { readonly alpha: number; readonly sigma: number };
  /** alpha^2 / sigma^2. */
  snr(timestep: number): number;
}
