/** The engine, which compiles graphs to sessions; each runtime implements it. */
import type { Outputs, Real, Shape, Target } from "../graph/index.ts";
import type { Device } from "./targets.ts";
import type { Tensor } from "./tensor.ts";

/** The number type of a network's products. */
export type Precision = Real | "int8";

/** Named tensors kept in the worker: the outputs of a run, or tensors put there. */
export interface Kept {
  readonly kept: number;
}

export interface Session {
  /** The graph's inputs by name. */
  readonly inputs: ReadonlyMap<string, { readonly shape: Shape }>;
  /** Runs the graph, after checking the shapes of `feeds`. */
  run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>>;
  /** Runs the graph and keeps the outputs in the worker, for inputs of the same names in later runs. */
  keep(feeds: Feeds): Promise<Kept>;
  /** Runs the graph; its outputs take the place of kept tensors of the same names and shapes, in Node in their memory. */
  renew(feeds: Feeds, kept: Kept): Promise<void>;
  release(): Promise<void>;
}

/** Time that one operator of a graph took, over all calls. */
export interface OperatorTime {
  /** The graph's name. */
  readonly graph: string;
  /** The operator's ONNX name. */
  readonly operator: string;
  /** Wall time of all calls. */
  readonly milliseconds: number;
  /** Number of calls. */
  readonly calls: number;
}

export interface CompileOptions {
  /** Whether products need float32's range: they are in float32 where the engine's are in float16. */
  readonly wide?: boolean | undefined;
  /** Whether the CPU provider uses every weight in place in its file, and keeps no memory between runs. */
  readonly inPlace?: boolean | undefined;
}

export interface Engine {
  readonly device: Device;
  /** The number type of products. */
  readonly precision: Precision;
  /** The target that graphs are lowered for. */
  readonly target: Target;
  /** Whether the provider's fused attention is used; not if the test at start found it wrong. */
  readonly fusedAttention: boolean;
  /** Sessions built so far; changing omega or adapters builds none. */
  readonly sessionsBuilt: number;
  /**
   * Builds a session for the graph of `outputs`. `name` identifies it in errors and profiles.
   *
   * @throws TillerError `not-finite` if one of its weights is not finite or too large, and `network-not-built`.
   */
  compile(name: string, outputs: Outputs, options?: CompileOptions): Promise<Session>;
  /** Checks a graph's weights as {@link compile} does, for one that is compiled late. @throws TillerError `not-finite`. */
  check(outputs: Outputs): Promise<void>;
  /** Keeps tensors in the worker, for inputs of the same names in later runs. */
  hold(tensors: Readonly<Record<string, Tensor>>): Promise<Kept>;
  /** As {@link hold}, but moves their memory there instead of copying it: the caller may no longer use it. */
  give(tensors: Readonly<Record<string, Tensor>>): Promise<Kept>;
  /** Gives back what {@link give} moved, which is then no longer kept. */
  take(kept: Kept): Promise<Readonly<Record<string, Tensor>>>;
  drop(kept: Kept): Promise<void>;
  /** Releases every session and stops the thread; with profiling on, returns the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

export interface EngineOptions {
  readonly device?: Device;
  /** The number type of products, float32 by default. OpenVINO has bfloat16 and, on GPUs, float16. */
  readonly precision?: Precision | undefined;
  /** Threads per operator; default: the runtime's choice, one per physical core. */
  readonly threads?: number | undefined;
  /**
   * Whether to compute in as little memory as the CPU provider allows: every weight is used in place in its file, and memory is
   * returned after each operator. Other devices ignore it.
   */
  readonly lowMemory?: boolean | undefined;
  /** Whether to record the time every operator takes, for {@link Engine.close}. */
  readonly profile?: boolean | undefined;
  /** Overrides of the device's entry in `targets`, for tests and measurements. */
  readonly target?: Partial<Omit<Target, "provider">> | undefined;
}

/** A run's inputs: tensors, or kept ones of the same name. */
export type Feeds = Readonly<Record<string, Tensor | Kept>>;
