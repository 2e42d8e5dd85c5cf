/** What a kind of adapter file is: how it is told, and how it is read. `kinds.ts` lists those there are. */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import type { Model } from "../families/family.ts";
import type { Adapter } from "./adapter.ts";

/** The model an adapter is for. */
export type Base = Pick<Model, "name" | "family" | "components" | "steered" | "text" | "adapters">;

/** What a configuration says of the module of a component: its alpha and rank, and how its numbers are meant. */
export type AlphaRule = (
  component: string,
  module: string,
) => {
  readonly alpha?: number | undefined;
  readonly rank?: number | undefined;
  /** The scale is alpha / sqrt(rank). */
  readonly rootRank?: boolean | undefined;
  /** DoRA: there is a magnitude. */
  readonly decomposed?: boolean | undefined;
};

export interface AdapterFile {
  /** For messages. */
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly metadata: Readonly<Record<string, string>>;
  /** What a configuration beside the file says of alphas; absent where the file speaks for itself. */
  readonly alphas?: AlphaRule | undefined;
}

export interface AdapterKind {
  /** For people. */
  readonly name: string;
  recognises(file: AdapterFile): boolean;
  /** What it changes; what it does not mention it leaves alone. @throws TillerError naming what does not fit. */
  read(
    file: AdapterFile,
    base: Base,
  ): Promise<Pick<Adapter, "format"> & Partial<Pick<Adapter, "lowRank" | "full" | "differences" | "tokens">>>;
}
