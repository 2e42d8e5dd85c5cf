/** Encoder features and their similarity. */

/** Of length 1, except texts' of an encoder that scales its cosines. */
export type Features = Float32Array;

/** The dot product, which is the cosine of features of length 1. */
export const cosine = (a: Features, b: Features): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** A vector divided by its length. */
export function unit(vector: Features): Features {
  const length = Math.sqrt(cosine(vector, vector));
  return vector.map((value) => value / length);
}

/** A vector less the mean of its own entries, divided by its length. */
export function centred(vector: Features): Features {
  const middle = mean([...vector]);
  return unit(vector.map((value) => value - middle));
}
