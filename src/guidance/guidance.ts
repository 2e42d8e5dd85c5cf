/**
 * Guidance: a list of rows for the network and a row of coefficients to mix the predictions with.
 *
 * Every method is linear in the predictions and its coefficients add up to 1, so the same ones hold for noise, velocity
 * and flow. All rows go through the network in one batch; a method costs what its number of rows costs.
 */

/** Which text a row sees: the prompt, the null (or negative) prompt, or the prompt without its learned tokens. */
export type RowText = "cond" | "null" | "agnostic";

export interface Row {
  readonly text: RowText;
  /** Share of the adapter's strength: 1 is the fine-tuned model, 0 the pre-trained one, omega between them. */
  readonly strength: number;
}

export interface Coefficients {
  /** One for each row: the guided prediction. */
  readonly output: readonly number[];
  /** One for each row: the prediction that re-noises, where it is not the guided one (CFG++ and PG++). */
  readonly renoise?: readonly number[];
}

export interface Guidance {
  readonly rows: readonly Row[];
  /** The mix at a step, counted from 0, of `steps`. */
  readonly coefficients: (step: number, steps: number) => Coefficients;
}

export const strong = (text: RowText): Row => ({ text, strength: 1 });

export const weak = (text: RowText, strength: number): Row => ({ text, strength });

/** A method whose mix is the same at every step. */
export const constantMix = (rows: readonly Row[], output: readonly number[]): Guidance => ({
  rows,
  coefficients: () => ({ output }),
});

/** sum of coefficient * prediction over the rows, element by element. */
export function mix(predictions: readonly Float32Array[], coefficients: readonly number[]): Float32Array {
  const mixed = new Float32Array(predictions[0]!.length);
  for (let i = 0; i < mixed.length; i++) {
    let sum = 0;
    for (let row = 0; row < predictions.length; row++) sum += coefficients[row]! * predictions[row]![i]!;
    mixed[i] = sum;
  }
  return mixed;
}
