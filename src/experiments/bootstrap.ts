/** Confidence intervals of means over concepts and prompts, paired between methods. */
import { mean } from "../metrics/features.ts";
import { randomStream } from "../random/streams.ts";

/** A mean and its 95 % bootstrap interval. */
export interface Interval {
  /** The mean. */
  readonly mean: number;
  /** Lower bound of the interval. */
  readonly low: number;
  /** Upper bound. */
  readonly high: number;
}

const resamples = 2000;

/**
 * The mean over concepts of the means over their prompts, and its interval when concepts, and prompts within each, are resampled
 * with replacement. Every call draws the same resamples, so intervals of differences are paired.
 *
 * @param values One list for each concept: a value for each prompt.
 */
export function bootstrap(values: readonly (readonly number[])[]): Interval {
  const random = randomStream(0, "bootstrap", 0);
  const means: number[] = [];
  for (let i = 0; i < resamples; i++) {
    let sum = 0;
    for (let c = 0; c < values.length; c++) {
      const prompts = values[random.integer(values.length)]!;
      let within = 0;
      for (let p = 0; p < prompts.length; p++) within += prompts[random.integer(prompts.length)]!;
      sum += within / prompts.length;
    }
    means.push(sum / values.length);
  }
  means.sort((a, b) => a - b);
  return {
    mean: mean(values.map(mean)),
    low: means[Math.floor(0.025 * resamples)]!,
    high: means[Math.ceil(0.975 * resamples) - 1]!,
  };
}
