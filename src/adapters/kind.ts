/** A kind of adapter file: how it is recognised and read. `kinds.ts` lists them all. */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import type { Model } from "../families/family.ts";
import type { Adapter } from "./adapter.ts";

/** The model an adapter is for. */
export type Base = Pick<Model, "name" | "family" | "components" | "steered" | "text" | "adapters">;

/** A component's module's alpha and rank, and how to apply them, according to a configuration. */
export type AlphaRule = (
  component: string,
  module: string,
) => {
  readonly alpha?: number | undefined;
  readonly rank?: number | undefined;
  /** The scale is alpha / sqrt(rank). */
  readonly rootRank?: boolean | undefined;
  /** DoRA: the module has a magnitude vector. */
  readonly decomposed?: boolean | undefined;
};

export interface AdapterFile {
  /** For messages. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Alphas from a configuration beside the file; absent if there is none. */
  readonly alphas?: AlphaRule | undefined;
}

export interface AdapterKind {
  /** Display name. */
  readonly name: string;
  recognises(file: AdapterFile): boolean;
  /** What the file changes. @throws TillerError naming what does not fit. */
  read(
    file: AdapterFile,
    base: Base,
  ): Promise<
    Pick<Adapter, "format"> & Partial<Pick<Adapter, "lowRank" | "full" | "differences" | "tokens" | "warnings">>
  >;
}
