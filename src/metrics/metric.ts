/**
 * What a metric is: all there is to know about it, as data and one function. The command line, experiments, the server and
 * Studio read it; `metrics.ts` lists those there are.
 */
import type { Features, PictureFeatures } from "./features.ts";

/** One picture with what it is measured against, as the encoders see them. */
export interface Measured {
  readonly picture: PictureFeatures;
  /** The subject's own pictures; at least one. */
  readonly references: readonly PictureFeatures[];
  readonly text: Features;
}

/** A metric: its description, and how it is computed. */
export interface Metric<N extends string = string> {
  /** Its key in results. */
  readonly name: N;
  /** In the heads of tables. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** What it is fidelity to. */
  readonly of: "subject" | "text";
  /** A cosine, or a mean of cosines: higher is nearer. */
  score(measured: Measured): number;
}

/** A metric, its name's type taken from what is written. */
export const metric = <const N extends string>(one: Metric<N>): Metric<N> => one;
