/** Encoder features and their similarity. */

/** Of length 1. */
export type Features = Float32Array;

export interface PictureFeatures {
  readonly clip: Features;
  readonly dino: Features;
}

/** Both features' cosine. */
export const cosine = (a: Features, b: Features): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
