/**
 * The definition of a metric, as data and one function. The command line, experiments, the server and Studio use it; `metrics.ts`
 * lists all metrics.
 */
import type { Features, PictureFeatures } from "./features.ts";

/** The features of a picture and of what it is measured against. */
export interface Measured {
  readonly picture: PictureFeatures;
  /** Reference pictures of the subject; at least one. */
  readonly references: readonly PictureFeatures[];
  readonly text: Features;
}

/** A metric: its description and computation. */
export interface Metric<N extends string = string> {
  /** Its key in results. */
  readonly name: N;
  /** Its label in tables. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** Whether it measures fidelity to the subject or to the text. */
  readonly of: "subject" | "text";
  /** A cosine similarity, or a mean of them. */
  score(measured: Measured): number;
}

/** Infers the literal type of a metric's name. */
export const metric = <const N extends string>(one: Metric<N>): Metric<N> => one;
