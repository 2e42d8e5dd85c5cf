/**
 * What a metric compares pictures and texts with, as data and one function. Encoders are listed nowhere: each belongs to the
 * metrics that use it. The command line's options, experiments' `encoders` and stored features are derived from it.
 */
import type { Pixels } from "../images/pixels.ts";
import type { Engine } from "../runtime/index.ts";
import type { Features } from "./features.ts";
import type { EvaluationProtocol } from "./protocol.ts";

/** An opened encoder. */
export interface Encoder {
  /** One feature vector for each picture. */
  pictures(pictures: readonly Pixels[]): Promise<Features[]>;
  /** One for each text, if it reads texts; texts that are too long are truncated. */
  texts?(texts: readonly string[]): Promise<Features[]>;
  /** The words truncated from a text's end; "" if none. */
  dropped?(text: string): string;
}

/** An encoder before it is opened. */
export interface EncoderKind<N extends string = string, C extends boolean = boolean> {
  /** Its option on the command line, and its key in results: `clip`. */
  readonly name: N;
  /** Whether a model can be named for it; if not, it is always {@link usual}. */
  readonly chosen: C;
  /** The option's line of help: what is to be named. */
  readonly help: string;
  /** dinghy's own, used if none is named; undefined if one must be named. */
  readonly usual: string | undefined;
  /** Whether it may be a hub repository, whose files with Transformers' names are downloaded. */
  readonly onHub: boolean;
  /** @param protocol Only for encoders whose preprocessing the protocols differ in. */
  open(engine: Engine, folder: string, protocol: EvaluationProtocol): Promise<Encoder>;
}

/** Infers the literal types. */
export const encoder = <const N extends string, const C extends boolean>(one: EncoderKind<N, C>): EncoderKind<N, C> =>
  one;
