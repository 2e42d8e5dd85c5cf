/** What training asks of a noise schedule. */
import type { PredictionType } from "./prediction.ts";

export interface Schedule {
  /** How many timesteps training draws from, each as likely. */
  readonly timesteps: number;
  /** The one of a number from 0 to {@link timesteps} - 1. */
  timestepAt(index: number): number;
  readonly prediction: PredictionType;
  /** x_t = alpha x0 + sigma eps. */
  level(timestep: number): { readonly alpha: number; readonly sigma: number };
  /** alpha^2 / sigma^2. */
  snr(timestep: number): number;
}
