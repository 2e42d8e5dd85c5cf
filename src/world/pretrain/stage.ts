/** A stage of pretraining: one network, its loss and its batches; the loop is the same for all. */
import type { TensorRef, Value } from "../../graph/index.ts";
import type { Tensor } from "../../runtime/index.ts";
import type { OptimiserSettings } from "../../training/optimise.ts";

export interface Stage {
  /** The network's folder in the model. */
  readonly folder: string;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly settings: OptimiserSettings;
  /** The tensors before training, by the checkpoint's keys. */
  readonly start: () => Map<string, Tensor>;
  readonly loss: (values: ReadonlyMap<string, Tensor>) => Value;
  /** The loss's other inputs, a function of the draw's number. */
  readonly feeds: (draw: number) => Readonly<Record<string, Tensor>>;
}

/** A checkpoint whose tensors are all open: their shapes count, no file is ever read. */
export const openWeights = (values: ReadonlyMap<string, Tensor>): ReadonlyMap<string, TensorRef> =>
  new Map(
    [...values].map(([name, { shape, data }]) => [
      name,
      { name, file: "", offset: 0, byteLength: data.byteLength, shape, dtype: "float32" },
    ]),
  );
