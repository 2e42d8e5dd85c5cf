/** The learning rate over a run, as Diffusers' schedules of these names have it. */

/** How the learning rate changes over a run, after its warm-up. */
export const learningRateSchedules = ["constant", "linear", "cosine"] as const;
/**
 * One of the {@link learningRateSchedules}.
 *
 * @useDeclaredType
 */
export type LearningRateSchedule = (typeof learningRateSchedules)[number];

/**
 * The factor on the learning rate at a step, 0 upwards: a line up from 0 over `warmup` steps, then constant, or falling to
 * 0 at `steps` in a line or along half a cosine.
 */
export function learningRateFactor(
  schedule: LearningRateSchedule,
  step: number,
  { steps, warmup }: { steps: number; warmup: number },
): number {
  if (step < warmup) return step / Math.max(1, warmup);
  const progress = (step - warmup) / Math.max(1, steps - warmup);
  switch (schedule) {
    case "constant":
      return 1;
    case "linear":
      return Math.max(0, 1 - progress);
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
