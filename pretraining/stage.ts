/** A stage of pretraining: one network, its loss and its batches; the loop is the same for all. */
import { absentSource } from "../src/bytes/source.ts";
import type { TensorRef, Value } from "../src/graph/index.ts";
import type { Engine, Tensor } from "../src/runtime/index.ts";
import type { OptimiserSettings } from "../src/training/optimise/optimise.ts";

export interface Stage {
  /** What its logs and checkpoints are kept under, if not the network's folder. */
  readonly name?: string | undefined;
  /** The network's folder in the model. */
  readonly folder: string;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The weights' file; Diffusers' name by default. */
  readonly file?: string | undefined;
  readonly settings: OptimiserSettings;
  /** Steps in place of the settings' for a network that goes on; by default as many. */
  readonly round?: number | undefined;
  /** The tensors before training, by the checkpoint's keys. */
  readonly start: () => Map<string, Tensor>;
  /** Which of these only help the others to learn, and are no part of the network. */
  readonly helps?: ((name: string) => boolean) | undefined;
  readonly loss: (values: ReadonlyMap<string, Tensor>) => Value;
  /** Whether the loss is a mean over the rows of its inputs, so that parts of a batch can be computed apart. */
  readonly separable?: boolean | undefined;
  /** The tensors that take Muon's steps, matrices all; default: none. */
  readonly muon?: readonly string[] | undefined;
  /** The loss's other inputs, a function of the draw's number. */
  readonly feeds: (draw: number) => Feeds | Promise<Feeds>;
  /** Decay of the running average that is written in the place of the last values. */
  readonly averaging?: number | undefined;
  /** Files that the network brings along, by path in the model. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Networks that are parts of this one, by folder. */
  readonly parts?: ((values: ReadonlyMap<string, Tensor>) => Readonly<Record<string, Network>>) | undefined;
}

export type Feeds = Readonly<Record<string, Tensor>>;

export interface Network {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** What a stage that builds on others is made from. */
export interface Workshop {
  readonly engine: Engine;
  readonly modelFolder: string;
  /** Logs and checkpoints, a folder for each stage. */
  readonly workFolder: string;
}

/** More draws than any stage takes: networks that go on begin at a multiple of it. */
export const generation = 1_000_000;

/** A checkpoint whose tensors are all open: their shapes count, no file is ever read. */
export const openWeights = (values: ReadonlyMap<string, Tensor>): ReadonlyMap<string, TensorRef> =>
  new Map(
    [...values].map(([name, { shape, data }]) => [
      name,
      { name, source: absentSource(""), offset: 0, byteLength: data.byteLength, shape, dtype: "float32" },
    ]),
  );
