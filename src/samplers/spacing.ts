/** Which training timesteps or sigmas a run visits. Double precision, as in NumPy. */
import { roundHalfEven } from "../rounding.ts";

const f32 = Math.fround;

/** How timesteps are spread over the training range (arXiv 2305.08891, table 2). */
export type TimestepSpacing = "leading" | "linspace" | "trailing";

/** numpy.linspace(0, last, points), reversed; not rounded. */
export function linspaceTimesteps(last: number, points: number): number[] {
  return linspace(0, last, points).reverse();
}

/** Multiples of floor(trainSteps / points), plus `offset`, noisiest first. */
export function leadingTimesteps(trainSteps: number, points: number, offset: number): number[] {
  const stride = Math.floor(trainSteps / points);
  return Array.from({ length: points }, (_, i) => (points - 1 - i) * stride + offset);
}

/**
 * `last` and down from it in strides of trainSteps / steps, each rounded and less one.
 *
 * For 62 step counts (61, 103, ...) rounding makes NumPy's arange one value too long, and Diffusers runs an extra step
 * at timestep -1; it is dropped here.
 */
export function trailingTimesteps(last: number, trainSteps: number, steps: number): number[] {
  const stride = trainSteps / steps;
  const delta = last - stride - last; // numpy.arange takes its stride from its first two values
  const timesteps = Array.from({ length: Math.ceil(last / stride) }, (_, i) => roundHalfEven(last + i * delta) - 1);
  return timesteps.filter((timestep) => timestep >= 0);
}

/** Linear interpolation of `values` at a fractional index, clamped at both ends. */
export function interpolate(values: Float32Array, position: number): number {
  const low = Math.floor(position);
  if (low < 0) return values[0]!;
  if (low >= values.length - 1) return values.at(-1)!;
  return (values[low + 1]! - values[low]!) * (position - low) + values[low]!;
}

/** The sigmas of Karras et al. (arXiv 2206.00364, eq. 5), rho = 7, largest first. */
export function karrasSigmas(sigmaMax: number, sigmaMin: number, steps: number): number[] {
  const rho = 7;
  const [max, min] = [sigmaMax ** (1 / rho), sigmaMin ** (1 / rho)];
  return linspace(0, 1, steps).map((ramp) => (max + ramp * (min - max)) ** rho);
}

/** The fractional timestep at which the training schedule, interpolated in log sigma, reaches `sigma`. */
export function timestepOfSigma(sigma: number, trainingSigmas: Float32Array): number {
  const logAt = (t: number) => f32(Math.log(trainingSigmas[t]!));
  const log = Math.log(Math.max(sigma, 1e-10));
  let low = trainingSigmas.length - 2;
  while (low > 0 && logAt(low) > log) low--;
  const weight = Math.min(Math.max((logAt(low) - log) / (logAt(low) - logAt(low + 1)), 0), 1);
  return (1 - weight) * low + weight * (low + 1);
}

/** numpy.linspace */
export function linspace(start: number, stop: number, points: number): number[] {
  if (points === 1) return [start];
  const step = (stop - start) / (points - 1);
  return Array.from({ length: points }, (_, i) => (i === points - 1 ? stop : i * step + start));
}
