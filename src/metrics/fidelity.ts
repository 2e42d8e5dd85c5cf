/** The three scores of a picture of a subject. */
import { cosine, type Features } from "./encoders.ts";

export const metricNames = ["dino", "clipI", "clipT"] as const;
export type MetricName = (typeof metricNames)[number];

/**
 * `dino` and `clipI`: likeness to the subject's pictures; `clipT`: likeness to the text. All are cosines, higher is nearer.
 */
export type Scores = Readonly<Record<MetricName, number>>;

export interface PictureFeatures {
  readonly clip: Features;
  readonly dino: Features;
}

/** Scores of one picture: cosines averaged over the references, and the cosine with the text. */
export function scoresOf(picture: PictureFeatures, references: readonly PictureFeatures[], text: Features): Scores {
  return {
    dino: mean(references.map(({ dino }) => cosine(picture.dino, dino))),
    clipI: mean(references.map(({ clip }) => cosine(picture.clip, clip))),
    clipT: cosine(picture.clip, text),
  };
}

export const meanScores = (scores: readonly Scores[]): Scores => ({
  dino: mean(scores.map((s) => s.dino)),
  clipI: mean(scores.map((s) => s.clipI)),
  clipT: mean(scores.map((s) => s.clipT)),
});

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
