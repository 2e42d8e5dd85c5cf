/** A stage of pretraining: one network, its loss and its batches; the loop is the same for all. */
import { absentSource } from "../src/bytes/source.ts";
import type { TensorRef, Value } from "../src/graph/index.ts";
import type { Engine, Tensor } from "../src/runtime/index.ts";
import type { OptimiserSettings } from "../src/training/optimise/optimise.ts";

export interface Stage {
  /** The name of its logs and checkpoints; the network's folder by default. */
  readonly name?: string | undefined;
  /** The network's folder in the model. */
  readonly folder: string;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weights' file; Diffusers' name by default. */
  readonly file?: string | undefined;
  readonly settings: OptimiserSettings;
  /** Steps for a network that continues; by default those of the settings. */
  readonly round?: number | undefined;
  /** The initial tensors, by the checkpoint's keys. */
  readonly start: () => Map<string, Tensor>;
  /** Tests for auxiliary tensors, which are only used in training and are not saved. */
  readonly helps?: ((name: string) => boolean) | undefined;
  readonly loss: (values: ReadonlyMap<string, Tensor>) => Value;
  /** Whether the loss is a mean over the rows of its inputs, so that a batch can be split. */
  readonly separable?: boolean | undefined;
  /** The matrices optimised by Muon; none by default. */
  readonly muon?: readonly string[] | undefined;
  /** The loss's other inputs, by the draw's index. */
  readonly feeds: (draw: number) => Feeds | Promise<Feeds>;
  /** Decay of the running average that is written instead of the last values. */
  readonly averaging?: number | undefined;
  /** Additional files, by path in the model. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Networks that are parts of this one, by folder. */
  readonly parts?: ((values: ReadonlyMap<string, Tensor>) => Readonly<Record<string, Network>>) | undefined;
}

export type Feeds = Readonly<Record<string, Tensor>>;

export interface Network {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** The inputs of a stage that builds on others. */
export interface Workshop {
  readonly engine: Engine;
  readonly modelFolder: string;
  /** The folder of logs and checkpoints, with a subfolder for each stage. */
  readonly workFolder: string;
}

/** More draws than any stage takes: continued networks start at a multiple of it. */
export const generation = 1_000_000;

/** A checkpoint whose tensors have shapes but no data: no file is ever read. */
export const openWeights = (values: ReadonlyMap<string, Tensor>): ReadonlyMap<string, TensorRef> =>
  new Map(
    [...values].map(([name, { shape, data }]) => [
      name,
      { name, source: absentSource(""), offset: 0, byteLength: data.byteLength, shape, dtype: "float32" },
    ]),
  );
