/**
 * What the networks of a model need in memory while it draws, estimated from their recorded graphs and the headers of their files.
 *
 * docs/memory.md has the formula, and how far it was from measured runs.
 */
import type { Model } from "../families/family.ts";
import { activationBytes, int8Weights, type Outputs, weightBytes } from "../graph/index.ts";
import { modulesOf } from "../models/components.ts";
import type { AttentionForm } from "../models/unet.ts";
import { type Compute, isOpenVino } from "../runtime/index.ts";

/** A network of a model, by the name that users know it by. */
export type NetworkName = "text encoder" | "denoiser" | "decoder" | "encoder";

/** The recorded networks of a model, each recorded when it is first asked for. */
export type DrawingGraphs = (name: NetworkName) => readonly Outputs[];

/** Records a model's networks without adapters, whose factors are small. */
export function drawingGraphs(model: Model, attention?: AttentionForm): DrawingGraphs {
  const modules = modulesOf(model.components, { float32: model.denoiser.float32 });
  const record: Readonly<Record<NetworkName, () => readonly Outputs[]>> = {
    "text encoder": () => [model.text.graph(modules)],
    denoiser: () => [model.denoiser.prepare(modules), model.denoiser.predict(modules, attention)],
    decoder: () => [model.latents.decode(modules)],
    encoder: () => [model.latents.encode(modules)],
  };
  const recorded = new Map<NetworkName, readonly Outputs[]>();
  return (name) => {
    const graphs = recorded.get(name) ?? record[name]();
    recorded.set(name, graphs);
    return graphs;
  };
}

/** What one network needs, in bytes. */
export interface NetworkNeed {
  /** While it is built. */
  readonly building: number;
  /** Once it is built, whether it runs or not. */
  readonly built: number;
  /** In addition while it runs. */
  readonly running: number;
}

/** The open sizes of a network's graphs. */
export type Sizes = Readonly<Record<string, number>>;

/**
 * Bytes per byte of the weights in float32, for ONNX Runtime on the CPU: it copies them into its own layout, and converts other
 * number types to float32 first. Measured with SANA 0.6B and Stable Diffusion 1.5.
 */
const copies = { float32: { built: 1.1, building: 1.1 }, converted: { built: 1.35, building: 1.7 } } as const;

/** Its arena grows by doubling and keeps what it has, so a run takes more than the values alive at once. */
const arena = 2.3;
/** Without an arena, what kernels use beside their inputs and outputs. */
const working = { share: 1.25, bytes: 100e6 } as const;

/** Bytes per parameter that OpenVINO takes for its layouts, from the same two models; in float32 it keeps twice as large copies. */
const openVino = { bfloat16: 7, float16: 7, float32: 9, int8: 7 } as const;

/**
 * With gradients a weight is used as it is and transposed, or flipped, and each use has its own layout: from 10.3 GiB of training
 * Stable Diffusion 1.5.
 */
const twofold = 1.6;

interface NeedOptions {
  /** Whether weights stay in their files. */
  readonly lowMemory: boolean;
  /** Whether the network has int8 products, if that is the precision. */
  readonly quantised?: boolean;
  /** Whether it has gradients. */
  readonly trains?: boolean;
}

/** The need of a network that consists of `graphs`, computed in a form. */
export function needOf(
  graphs: readonly Outputs[],
  { device, precision }: Compute,
  sizes: Sizes,
  { lowMemory, quantised = false, trains = false }: NeedOptions,
): NetworkNeed {
  const { stored, float32 } = weightBytes(graphs);
  const half = precision === "bfloat16" || precision === "float16";
  const converts = lowMemory && stored < float32;
  const alive = Math.max(...graphs.map((graph) => activationBytes(graph, { sizes, element: half ? 2 : 4, converts })));
  if (isOpenVino(device)) {
    const bytes = (float32 / 4) * openVino[precision] * (trains ? twofold : 1);
    return { building: bytes, built: bytes, running: alive * working.share };
  }
  // The weights' pages in the file cache can be taken back, but every step reads them.
  if (lowMemory) return { building: 0, built: stored, running: alive * working.share + working.bytes };
  const { built, building } = stored === float32 ? copies.float32 : copies.converted;
  const int8 = quantised && precision === "int8" ? int8Elements(graphs) : 0;
  const rest = float32 - 4 * int8;
  // An int8 weight lies in its mapped file and in the provider's layout.
  const layouts = trains ? twofold : 1;
  return {
    building: rest * building * layouts + 2 * int8,
    built: rest * built * layouts + 2 * int8,
    running: alive * arena,
  };
}

const int8Elements = (graphs: readonly Outputs[]): number =>
  graphs.flatMap((graph) => int8Weights(graph)).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
