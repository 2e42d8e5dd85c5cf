/**
 * The definition of a metric, as data and one function. The command line, experiments, the server and Studio use it; `metrics.ts`
 * lists all metrics.
 */
import type { EncoderKind } from "./encoder.ts";
import type { Features } from "./features.ts";

/** What every metric has. */
interface About<N extends string, E extends string, C extends boolean> {
  /** Its key in results. */
  readonly name: N;
  /** Its label in tables. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** Which values are better. */
  readonly better: "higher" | "lower";
  /** Whether it is measured if no metrics are named. */
  readonly usual: boolean;
  /** Makes the features that it compares. */
  readonly encoder: EncoderKind<E, C>;
}

/** Compares a picture with reference pictures. */
interface OfSubject {
  /** Whether it measures fidelity to the subject, or to the text. */
  readonly of: "subject";
  /** @param references At least one. */
  score(picture: Features, references: readonly Features[]): number;
}

/** Compares a picture with a text; its encoder reads texts. */
interface OfText {
  /** Whether it measures fidelity to the subject, or to the text. */
  readonly of: "text";
  score(picture: Features, text: Features): number;
}

/** A metric: its description and computation. */
export type Metric<N extends string = string, E extends string = string, C extends boolean = boolean> = About<N, E, C> &
  (OfSubject | OfText);

/** Infers the literal types of the names. */
export const metric = <const N extends string, const E extends string, const C extends boolean>(
  one: Metric<N, E, C>,
): Metric<N, E, C> => one;
