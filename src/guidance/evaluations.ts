/**
 * Fewer evaluations: at which steps all rows of a method are computed, and what replaces the missing ones at the others.
 *
 * Coefficients add up to 1, so a guided prediction is the first row's, the strong one, plus multiples of the other rows'
 * differences from it: e_0 + sum c_i (e_i - e_0). At steps that compute only the strong row, the differences come from earlier
 * steps, whatever the method.
 */
import { stepsBefore } from "../rounding.ts";
import { type Guidance, mix, type Row } from "./guidance.ts";
import type { Values } from "./method.ts";
import type { evaluation } from "./settings.ts";

export type EvaluationValues = Values<(typeof evaluation)[number]>;

/** Which rows a step computes. */
export type ComputedRows = "all" | "strong";

/** A picture's predictions at a step that computed all rows. */
export interface Evaluated {
  readonly step: number;
  readonly predictions: readonly Float32Array[];
}

/** A picture's guided prediction at a step. */
export interface Guided {
  readonly output: Float32Array;
  /** The prediction used to re-noise, if it is not the output. */
  readonly renoise?: Float32Array;
}

/** A method's rows, and its guided prediction at each of a number of steps. */
export interface Evaluations extends Pick<Guidance, "rows"> {
  /** The rows with each of the strengths that they have at some step; usually one. */
  readonly moments: readonly (readonly Row[])[];
  /** Which of these a step has. */
  momentAt(step: number): number;
  /** Average number of rows computed per step. */
  readonly rowsAStep: number;
  /** The rows to compute at a step, counted from 0. */
  computed(step: number): ComputedRows;
  /**
   * The guided prediction of a picture.
   *
   * @param predictions Predictions of the computed rows.
   * @param evaluated As returned by the previous step; empty at the first.
   */
  guided(
    step: number,
    predictions: readonly Float32Array[],
    evaluated: readonly Evaluated[],
  ): { readonly prediction: Guided; readonly evaluated: readonly Evaluated[] };
}

export function evaluationsOf(
  { rows, rowsAt, coefficients }: Guidance,
  { guidanceEvery, guidanceBetween, guidanceFrom, guidanceTo }: EvaluationValues,
  steps: number,
): Evaluations {
  const [first, end] = [guidanceFrom, guidanceTo].map((share) => stepsBefore(share, steps)) as [number, number];
  const isGuided = (step: number) => step >= first && step < end;
  const computed = (step: number): ComputedRows =>
    isGuided(step) && (step - first) % guidanceEvery === 0 ? "all" : "strong";
  const full = Array.from({ length: steps }, (_, step) => step).filter((step) => computed(step) === "all");
  const moments = new Map<string, readonly Row[]>();
  const keys = new Map<number, string>();
  if (rowsAt) {
    for (const step of full) {
      const now = rowsAt(step, steps);
      const key = JSON.stringify(now);
      keys.set(step, key);
      if (!moments.has(key)) moments.set(key, now);
    }
  }
  const places = [...moments.keys()];
  return {
    rows,
    moments: moments.size > 0 ? [...moments.values()] : [rows],
    momentAt: (step) => Math.max(0, places.indexOf(keys.get(step) ?? "")),
    rowsAStep: 1 + ((rows.length - 1) * full.length) / steps,
    computed,
    guided(step, predictions, evaluated) {
      if (!isGuided(step)) return { prediction: { output: predictions[0]! }, evaluated };
      const isFull = computed(step) === "all";
      const all = isFull
        ? predictions
        : [predictions[0]!, ...others(guidanceBetween, predictions[0]!, step, evaluated)];
      const { output, renoise } = coefficients(step, steps);
      return {
        prediction: { output: mix(all, output), ...(renoise && { renoise: mix(all, renoise) }) },
        evaluated: isFull && guidanceEvery > 1 ? [{ step, predictions }, ...evaluated.slice(0, 1)] : evaluated,
      };
    },
  };
}

/** What replaces the rows other than the strong one. */
function others(
  between: EvaluationValues["guidanceBetween"],
  strong: Float32Array,
  step: number,
  [last, earlier]: readonly Evaluated[],
): Float32Array[] {
  const [lastStrong, ...lastOthers] = last!.predictions as [Float32Array, ...Float32Array[]];
  if (between === "weak") return lastOthers;
  // Linear extrapolation of the last two differences; with only one, it stays constant.
  const [before, along] =
    between === "extrapolated" && earlier ? [earlier, (step - last!.step) / (last!.step - earlier.step)] : [last!, 0];
  const [beforeStrong, ...beforeOthers] = before.predictions as [Float32Array, ...Float32Array[]];
  return lastOthers.map((other, row) =>
    strong.map((value, i) => {
      const difference = other[i]! - lastStrong[i]!;
      return value + difference + along * (difference - (beforeOthers[row]![i]! - beforeStrong[i]!));
    }),
  );
}
