/**
 * Guidance: rows for the network, and coefficients to mix their predictions with.
 *
 * Every method is linear in the predictions and its coefficients add up to 1, so they hold for noise, velocity and flow
 * alike. All rows go through the network in one batch, so a method's cost is its number of rows.
 */

import type { Share } from "./share.ts";

/**
 * Which text a row sees: the prompt with its style, the null (or negative) prompt, the prompt without its learned tokens, or the
 * prompt without its style.
 */
export type RowText = "cond" | "null" | "agnostic" | "plain";

export interface Row {
  readonly text: RowText;
  /** Share of the adapter's strength: 1 is the fine-tuned model, 0 the pre-trained one, omega in between. */
  readonly strength: Share;
  /** The share in the text encoders, if it is another. */
  readonly textStrength?: Share;
  /** Whether the row sees the picture that an editing model edits; by default it does. */
  readonly picture?: "none";
}

export interface Coefficients {
  /** One for each row: the guided prediction. */
  readonly output: readonly number[];
  /** One for each row: the prediction used to re-noise, if it is not the guided one (CFG++ and PG++). */
  readonly renoise?: readonly number[];
}

export interface Guidance {
  readonly rows: readonly Row[];
  /** The rows at a step, counted from 0, of `steps`, if their strengths change; they differ in nothing else. */
  readonly rowsAt?: (step: number, steps: number) => readonly Row[];
  /** The coefficients at a step, counted from 0, of `steps`. */
  readonly coefficients: (step: number, steps: number) => Coefficients;
}

export const strong = (text: RowText): Row => ({ text, strength: 1 });

export const weak = (text: RowText, strength: Share): Row => ({ text, strength });

/** The weak model without a prompt; the null text is encoded by that model's text encoder, or by the fine-tuned one. */
export const weakNull = (strength: Share, nullText: "weak" | "strong"): Row =>
  nullText === "weak" ? weak("null", strength) : { ...weak("null", strength), textStrength: 1 };

/** A method with the same coefficients at every step. */
export const constantMix = (rows: readonly Row[], output: readonly number[]): Guidance => ({
  rows,
  coefficients: () => ({ output }),
});

/** Sum of coefficient * prediction over the rows, elementwise. */
export function mix(predictions: readonly Float32Array[], coefficients: readonly number[]): Float32Array {
  const mixed = new Float32Array(predictions[0]!.length);
  for (let i = 0; i < mixed.length; i++) {
    let sum = 0;
    for (let row = 0; row < predictions.length; row++) sum += coefficients[row]! * predictions[row]![i]!;
    mixed[i] = sum;
  }
  return mixed;
}
