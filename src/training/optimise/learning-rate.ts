/** Learning rate schedules, like Diffusers' of the same names. */

/** How the learning rate changes over a run, after its warm-up. */
export const learningRateSchedules = ["constant", "linear", "cosine"] as const;
/**
 * One of the {@link learningRateSchedules}.
 *
 * @useDeclaredType
 */
export type LearningRateSchedule = (typeof learningRateSchedules)[number];

/**
 * The factor on the learning rate at a step, from 0: rising linearly from 0 over `warmup` steps, then constant, or falling to 0
 * at `steps` linearly or along half a cosine.
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
