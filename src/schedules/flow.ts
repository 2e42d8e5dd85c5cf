/** The schedule of networks that take (1 - sigma) x0 + sigma eps and predict the flow eps - x0 (arXiv 2209.03003). */
import type { Schedule } from "./level.ts";

/**
 * alpha_t = 1 - sigma_t and sigma_t = t / timesteps for t from 1 to `timesteps`: the unshifted levels of training. As in Diffusers'
 * script, index 0 is the noisiest.
 */
export const flow = (timesteps: number): Schedule => ({
  timesteps,
  timestepAt: (index) => timesteps - index,
  prediction: "flow_prediction",
  level: (timestep) => ({ alpha: 1 - timestep / timesteps, sigma: timestep / timesteps }),
  snr: (timestep) => ((timesteps - timestep) / timestep) ** 2,
});

/** A sigma shifted towards noise, as larger pictures need: shift sigma / (1 + (shift - 1) sigma) (arXiv 2403.03206, eq. 23). */
export const shifted = (sigma: number, shift: number): number => (shift * sigma) / (1 + (shift - 1) * sigma);
