/** Progress of long work, with an estimate of the time left. */

/** Work of one kind. */
export interface Stage {
  readonly steps: number;
  /** Relative cost of a step, used until steps of the stage have been timed. */
  readonly weight: number;
}

/** Progress. */
export interface Pace {
  /** Steps done in all stages. */
  readonly done: number;
  /** Steps in all stages. */
  readonly total: number;
  /** Of the current stage; absent until known. */
  readonly secondsPerStep?: number | undefined;
  /** Of all stages; absent until known. */
  readonly secondsLeft?: number | undefined;
}

/** Seconds of timed steps required before times are given. */
const enough = 1;

/**
 * Tracks work with a known number of steps, whatever the order of its stages.
 *
 * The first step of a stage, and the first after another stage, is not timed, because it builds networks and warms up.
 *
 * @param now Milliseconds.
 * @returns A function to report that so many steps of a stage are done, including those of an earlier run.
 */
export function paceOf<Name extends string>(
  stages: Readonly<Record<Name, Stage>>,
  now: () => number = () => performance.now(),
): (stage: Name, done: number) => Pace {
  const all = Object.entries<Stage>(stages).map(([name, { steps, weight }]) => ({
    name,
    steps,
    weight,
    done: 0,
    timed: 0,
    seconds: 0,
  }));
  const total = all.reduce((sum, { steps }) => sum + steps, 0);
  let last: { readonly name: Name; readonly at: number } | undefined;
  return (name, done) => {
    const at = now();
    const stage = all.find((one) => one.name === name)!;
    if (last?.name === name && done > stage.done) {
      stage.timed += done - stage.done;
      stage.seconds += (at - last.at) / 1000;
    }
    last = last?.name === name && done <= stage.done ? last : { name, at };
    stage.done = done;
    const seconds = all.reduce((sum, one) => sum + one.seconds, 0);
    const work = all.reduce((sum, one) => sum + one.timed * one.weight, 0);
    const known = seconds >= enough && work > 0;
    const perStep = (one: (typeof all)[number]) =>
      one.timed > 0 ? one.seconds / one.timed : (one.weight * seconds) / work;
    return {
      done: all.reduce((sum, one) => sum + one.done, 0),
      total,
      secondsPerStep: known && stage.timed > 0 ? perStep(stage) : undefined,
      secondsLeft: known ? all.reduce((sum, one) => sum + (one.steps - one.done) * perStep(one), 0) : undefined,
    };
  };
}

/** `step 3 of 50, 1.2 s/step, 56 s left`. */
export function paceText({ done, total, secondsPerStep, secondsLeft }: Pace): string {
  const rate = secondsPerStep === undefined ? "" : `, ${rateText(secondsPerStep)}`;
  const left = secondsLeft === undefined || done === total ? "" : `, ${clockText(Math.max(1, secondsLeft))} left`;
  return `step ${done} of ${total}${rate}${left}`;
}

/** Fast steps as steps/s, slow ones as s/step. */
const rateText = (secondsPerStep: number): string =>
  secondsPerStep < 1 ? `${(1 / secondsPerStep).toFixed(1)} steps/s` : `${secondsPerStep.toFixed(1)} s/step`;

/** Seconds as "42 s", "1:42" or "1:07:05". */
export function clockText(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
