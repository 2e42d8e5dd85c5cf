/** What training needs from a noise schedule. */
import type { PredictionType } from "./prediction.ts";

export interface Schedule {
  /** Number of training timesteps, drawn uniformly. */
  readonly timesteps: number;
  /** The timestep at an index, 0 to {@link timesteps} - 1. */
  timestepAt(index: number): number;
  readonly prediction: PredictionType;
  /** x_t = alpha x0 + sigma eps. */
  level(timestep: number): { readonly alpha: number; readonly sigma: number };
  /** alpha^2 / sigma^2. */
  snr(timestep: number): number;
}
