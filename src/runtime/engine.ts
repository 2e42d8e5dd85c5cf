/** What computes: graphs go in, sessions come out. How it is done is each runtime's own. */
import type { Outputs, Real, Shape, Target } from "../graph/index.ts";
import type { Device } from "./targets.ts";
import type { Tensor } from "./tensor.ts";

/** What a network's products are computed in. */
export type Precision = Real | "int8";

/** Tensors that stay in the worker, by name: the outputs of one run, or what was put there. */
export interface Kept {
  readonly kept: number;
}

export interface Session {
  /** The graph's inputs by name. */
  readonly inputs: ReadonlyMap<string, { readonly shape: Shape }>;
  /** Runs the graph. Shapes are checked against the graph's before anything is computed. */
  run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>>;
  /** Runs the graph and leaves the outputs in the worker, for a later run's inputs of the same names. */
  keep(feeds: Feeds): Promise<Kept>;
  release(): Promise<void>;
}

/** What one operator of a graph took, over all calls. */
export interface OperatorTime {
  /** The graph's name. */
  readonly graph: string;
  /** The operator, as ONNX calls it. */
  readonly operator: string;
  /** Wall time of all calls. */
  readonly milliseconds: number;
  /** How many. */
  readonly calls: number;
}

export interface Engine {
  readonly device: Device;
  /** What products are computed in. */
  readonly precision: Precision;
  /** What it lowers graphs for. */
  readonly target: Target;
  /** Whether the provider's fused attention is used; not where it was tried at the start and found wrong. */
  readonly fusedAttention: boolean;
  /** How many sessions were built so far: moving omega or changing adapters leaves it as it is. */
  readonly sessionsBuilt: number;
  /** Builds a session for the graph that `outputs` reach. `name` says what it is in errors and profiles. */
  compile(name: string, outputs: Outputs): Promise<Session>;
  /** Leaves tensors in the worker, for the inputs of the same names of later runs. */
  hold(tensors: Readonly<Record<string, Tensor>>): Promise<Kept>;
  drop(kept: Kept): Promise<void>;
  /** Releases every session and stops the thread; with profiling on, the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

export interface EngineOptions {
  readonly device?: Device;
  /** What products are computed in: float32 by default. OpenVINO has bfloat16 and, on graphics processors, float16. */
  readonly precision?: Precision | undefined;
  /** Threads of one operator; default: the runtime's choice, one for each physical core. */
  readonly threads?: number | undefined;
  /** Record the time every operator takes; read by {@link Engine.close}. */
  readonly profile?: boolean | undefined;
  /** What graphs are lowered for where it is not what the device's entry in `targets` says: for tests and measurements. */
  readonly target?: Partial<Omit<Target, "provider">> | undefined;
}

/** Tensors given to a run, and where a tensor is already: there under the same name. */
export type Feeds = Readonly<Record<string, Tensor | Kept>>;
