/**
 * Fewer evaluations: at which steps all rows of a method are computed, and what stands in for the others at the rest.
 *
 * Coefficients add up to 1, so a guided prediction is that of the first row, the strong one, and a multiple of what each other
 * row differs from it: e_0 + sum c_i (e_i - e_0). Where the strong row alone is computed, the differences come from the steps
 * before, whatever the method is.
 */
import { type Guidance, mix } from "./guidance.ts";
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
  /** What re-noises, where it is not the output. */
  readonly renoise?: Float32Array;
}

/** A method's rows, and its guided prediction at each of a number of steps. */
export interface Evaluations extends Pick<Guidance, "rows"> {
  /** Rows computed at a step, on average. */
  readonly rowsAStep: number;
  /** What the network is to compute at a step, counted from 0. */
  computed(step: number): ComputedRows;
  /**
   * The guided prediction of a picture.
   *
   * @param predictions Of the rows that were computed.
   * @param evaluated What the step before handed back; nothing at the first.
   */
  guided(
    step: number,
    predictions: readonly Float32Array[],
    evaluated: readonly Evaluated[],
  ): { readonly prediction: Guided; readonly evaluated: readonly Evaluated[] };
}

export function evaluationsOf(
  { rows, coefficients }: Guidance,
  { guidanceEvery, guidanceBetween, guidanceFrom, guidanceTo }: EvaluationValues,
  steps: number,
): Evaluations {
  // What a share lost in binary is not a step.
  const [first, end] = [guidanceFrom, guidanceTo].map((share) => Math.ceil(steps * share - 1e-9)) as [number, number];
  const isGuided = (step: number) => step >= first && step < end;
  const computed = (step: number): ComputedRows =>
    isGuided(step) && (step - first) % guidanceEvery === 0 ? "all" : "strong";
  const full = Array.from({ length: steps }, (_, step) => computed(step)).filter((which) => which === "all").length;
  return {
    rows,
    rowsAStep: 1 + ((rows.length - 1) * full) / steps,
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

/** What stands in for the rows but the strong one. */
function others(
  between: EvaluationValues["guidanceBetween"],
  strong: Float32Array,
  step: number,
  [last, earlier]: readonly Evaluated[],
): Float32Array[] {
  const [lastStrong, ...lastOthers] = last!.predictions as [Float32Array, ...Float32Array[]];
  if (between === "weak") return lastOthers;
  // The line through the last two differences; through the first alone it is level.
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
