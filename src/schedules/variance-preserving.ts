/** The schedule of networks trained on alpha x0 + sigma eps, alpha^2 + sigma^2 = 1. */
import type { Schedule } from "./level.ts";
import type { PredictionType } from "./prediction.ts";
import { alphasCumprod, type TrainingSchedule } from "./schedule.ts";

/**
 * alpha_t = sqrt(alpha-bar_t), sigma_t = sqrt(1 - alpha-bar_t), rounded as PyTorch rounds them.
 *
 * @throws TillerError if the config contradicts itself.
 */
export function variancePreserving(config: TrainingSchedule & { readonly prediction_type: PredictionType }): Schedule {
  const alphas = alphasCumprod(config);
  return {
    timesteps: alphas.length,
    timestepAt: (index) => index,
    prediction: config.prediction_type,
    level(timestep) {
      const alpha = alphas[timestep]!;
      return { alpha: Math.fround(Math.sqrt(alpha)), sigma: Math.fround(Math.sqrt(Math.fround(1 - alpha))) };
    },
    snr: (timestep) => alphas[timestep]! / (1 - alphas[timestep]!),
  };
}
