/**
 * The noise schedule a network was trained with: betas, the cumulative product of alphas, sigmas.
 *
 * Every value is rounded to float32 where PyTorch rounds it: the schedule's tail is steep, and in double precision
 * pictures would differ from PyTorch's.
 */

import { TillerError } from "../errors/index.ts";

const f32 = Math.fround;

/** What a scheduler config says about training. */
export interface TrainingSchedule {
  readonly num_train_timesteps: number;
  readonly beta_start: number;
  readonly beta_end: number;
  readonly beta_schedule: "linear" | "scaled_linear" | "squaredcos_cap_v2";
  readonly trained_betas?: readonly number[] | null | undefined;
  readonly rescale_betas_zero_snr: boolean;
}

/**
 * alpha-bar_t = prod_{s <= t} (1 - beta_s) for t = 0 .. num_train_timesteps - 1, decreasing.
 *
 * With `rescale_betas_zero_snr` the last is exactly 0 (arXiv 2305.08891, algorithm 1).
 *
 * @throws TillerError if a beta is not in [0, 1), or `trained_betas` does not have `num_train_timesteps` values.
 */
export function alphasCumprod(config: TrainingSchedule): Float32Array {
  const betas = trainingBetas(config);
  if (betas.length !== config.num_train_timesteps) {
    throw new TillerError(
      "scheduler-unsupported",
      `The scheduler config has ${betas.length} trained_betas but num_train_timesteps ${config.num_train_timesteps}; correct one of the two.`,
    );
  }
  if (!betas.every((beta) => beta >= 0 && beta < 1))
    throw new TillerError(
      "scheduler-unsupported",
      "The scheduler config has betas outside [0, 1): correct beta_start, beta_end or trained_betas.",
    );
  return cumulativeProduct(config.rescale_betas_zero_snr ? rescaleToZeroSnr(betas) : betas);
}

/**
 * As {@link alphasCumprod}, for the samplers that divide by it: with zero terminal SNR the last value is 2^-24
 * instead of 0, which keeps its sigma finite (4096), as in Diffusers.
 */
export function nonZeroAlphasCumprod(config: TrainingSchedule): Float32Array {
  const alphas = alphasCumprod(config);
  if (config.rescale_betas_zero_snr) alphas[alphas.length - 1] = 2 ** -24;
  return alphas;
}

/** sigma_t = sqrt((1 - alpha-bar_t) / alpha-bar_t), increasing with t. */
export function trainingSigmas(alphas: Float32Array): Float32Array {
  return alphas.map((alpha) => Math.sqrt(f32(f32(1 - alpha) / alpha)));
}

function trainingBetas(config: TrainingSchedule): Float32Array {
  const { num_train_timesteps: count, beta_start: start, beta_end: end } = config;
  if (config.trained_betas) return Float32Array.from(config.trained_betas);
  switch (config.beta_schedule) {
    case "linear":
      return linspaceFloat32(start, end, count);
    case "scaled_linear":
      return linspaceFloat32(Math.sqrt(start), Math.sqrt(end), count).map((root) => root * root);
    case "squaredcos_cap_v2":
      // beta_t = min(1 - alpha-bar(t + 1) / alpha-bar(t), 0.999) (arXiv 2102.09672, eq. 17)
      return Float32Array.from({ length: count }, (_, t) =>
        Math.min(1 - cosineAlphaBar((t + 1) / count) / cosineAlphaBar(t / count), 0.999),
      );
  }
}

const cosineAlphaBar = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;

/** torch.linspace: computed from both ends towards the middle, each value rounded once (a fused multiply-add). */
export function linspaceFloat32(start: number, end: number, count: number): Float32Array {
  if (count === 1) return Float32Array.of(start);
  const [first, last] = [f32(start), f32(end)];
  const step = f32(f32(last - first) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2) ? first + step * i : last - step * (count - 1 - i),
  );
}

/** torch.cumprod: the running product is kept in double precision, each result rounded. */
function cumulativeProduct(betas: Float32Array): Float32Array {
  let product = 1;
  return betas.map((beta) => {
    product *= f32(1 - beta);
    return product;
  });
}

/** Shifts sqrt(alpha-bar) so that its last value is 0, scales it so that its first is unchanged, and returns the betas. */
function rescaleToZeroSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeProduct(betas).map(Math.sqrt);
  const first = roots[0]!;
  const last = roots.at(-1)!;
  const factor = f32(first / f32(first - last));
  const alphaBars = roots.map((root) => {
    const rescaled = f32(f32(root - last) * factor);
    return rescaled * rescaled;
  });
  return alphaBars.map((alphaBar, t) => 1 - (t === 0 ? alphaBar : f32(alphaBar / alphaBars[t - 1]!)));
}
