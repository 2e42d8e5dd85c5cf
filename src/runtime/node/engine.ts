/** Compiles graphs to sessions and runs them, in a worker thread of their own. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { InferenceSession } from "onnxruntime-node";
import { TillerError } from "../../errors.ts";
import { dimKey, type Encoded, encode, type Outputs, type Shape, showShape } from "../../graph/index.ts";
import { attentionIsRight } from "../attention-check.ts";
import "./quiet.ts";
import type { Tensor } from "../tensor.ts";
import { type Device, dialectOf, providersOf } from "./devices.ts";

export interface EngineOptions {
  readonly device?: Device;
  /** Threads of one operator; default: the runtime's choice, one for each physical core. */
  readonly threads?: number | undefined;
  /** Record the time every operator takes; read by {@link Engine.close}. */
  readonly profile?: boolean | undefined;
}

/** Tensors that stay in the worker, by name: the outputs of one run, or what was put there. */
export interface Kept {
  readonly kept: number;
}

export interface Session {
  /** The graph's inputs by name. */
  readonly inputs: ReadonlyMap<string, { readonly shape: Shape }>;
  /** Runs the graph. Shapes are checked against the graph's before anything is computed. */
  run(feeds: Readonly<Record<string, Tensor | Kept>>): Promise<Readonly<Record<string, Tensor>>>;
  /** Runs the graph and leaves the outputs in the worker, for a later run's inputs of the same names. */
  keep(feeds: Readonly<Record<string, Tensor | Kept>>): Promise<Kept>;
  release(): Promise<void>;
}

export interface OperatorTime {
  readonly graph: string;
  readonly operator: string;
  readonly milliseconds: number;
  readonly calls: number;
}

export interface Engine {
  readonly device: Device;
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

/** The worker is plain JavaScript: this file beside it may be source or build. */
const workerFile = new URL("./worker.js", import.meta.url);

/** Starts the engine on a device that is known to work (see `resolveDevice`). */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const device = options.device ?? "cpu";
  // Options of a program given as text (`node --input-type=module --eval …`) are not for a file.
  const worker = new Worker(workerFile, {
    execArgv: process.execArgv.filter((arg) => !arg.startsWith("--input-type")),
  });
  worker.unref();
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const open = new Map<number, { name: string; profile: string | undefined }>(); // profile: how its file's name begins
  const profileFolder = options.profile ? await mkdtemp(join(tmpdir(), "tiller-profile-")) : undefined;
  let serial = 0;
  let built = 0;
  let ended: Error | undefined;

  const failAll = (error: Error) => {
    ended = error;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };
  worker.on("error", (error) => failAll(error instanceof Error ? error : new Error(String(error))));
  worker.on("exit", () => failAll(new TillerError("the engine has been closed")));
  worker.on("message", (message: { id: number; ok?: never; error?: string }) => {
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (pending.size === 0) worker.unref();
    if (message.error === undefined) waiting?.resolve(message.ok as never);
    else waiting?.reject(new Error(message.error));
  });

  const call = <T>(kind: string, request: unknown): Promise<T> => {
    if (ended) return Promise.reject(ended);
    const id = ++serial;
    worker.ref();
    return new Promise<T>((resolve, reject) => {
      pending.set(id, { resolve, reject });
      worker.postMessage({ id, kind, request });
    });
  };

  const release = async (session: number): Promise<OperatorTime[]> => {
    const entry = open.get(session);
    if (!entry) return [];
    open.delete(session);
    const { profile } = entry;
    const profileFile =
      profile === undefined
        ? undefined
        : join(profileFolder!, (await readdir(profileFolder!)).find((f) => f.startsWith(profile)) ?? "");
    const text = await call<string | undefined>("release", { session, profileFile });
    return text === undefined ? [] : summarise(entry.name, text);
  };

  let dialect = dialectOf(device);
  const engine: Engine = {
    device,
    get fusedAttention() {
      return dialect !== "plain";
    },
    get sessionsBuilt() {
      return built;
    },
    async compile(name, outputs) {
      const encoded = encode(outputs, dialect);
      const profile = profileFolder === undefined ? undefined : `${++serial}-`;
      const { session } = await call<{ session: number }>("create", {
        model: encoded.model,
        options: sessionOptions(encoded, device, options.threads, profile && join(profileFolder!, profile)),
      }).catch((error: Error) => {
        throw new TillerError(`the ${name} cannot be built on ${device}: ${firstLine(error.message)}`, {
          cause: error,
        });
      });
      built++;
      open.set(session, { name, profile });
      const send = <T>(feeds: Readonly<Record<string, Tensor | Kept>>, keep?: number): Promise<T> => {
        checkFeeds(name, encoded, feeds);
        return call<T>("run", { session, feeds, keep }).catch((error: Error) => {
          throw new TillerError(`the ${name} failed on ${device}: ${firstLine(error.message)}`, { cause: error });
        });
      };
      return {
        inputs: encoded.inputs,
        run: (feeds) => send(feeds),
        async keep(feeds) {
          const kept = ++serial;
          await send(feeds, kept);
          return { kept };
        },
        release: async () => void (await release(session)),
      };
    },
    async hold(tensors) {
      const kept = ++serial;
      await call("hold", { keep: kept, tensors });
      return { kept };
    },
    drop: ({ kept }) => call("drop", { keep: kept }),
    async close() {
      if (ended) return [];
      const times: OperatorTime[] = [];
      for (const session of [...open.keys()]) times.push(...(await release(session)));
      await worker.terminate();
      if (profileFolder !== undefined) await rm(profileFolder, { recursive: true, force: true });
      return times.sort((a, b) => b.milliseconds - a.milliseconds);
    },
  };
  try {
    if (device === "webgpu" && !(await attentionIsRight(engine))) dialect = "plain";
  } catch (error) {
    await engine.close();
    throw error;
  }
  built = 0;
  return engine;
}

function sessionOptions(
  encoded: Encoded,
  device: Device,
  threads: number | undefined,
  profile: string | undefined,
): InferenceSession.SessionOptions {
  return {
    executionProviders: providersOf(device),
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    extra: {
      ...(encoded.root !== undefined && { session: { model_external_initializers_file_folder_path: encoded.root } }),
      // Of two reshapes in a row it makes one, and loses track where the first also feeds a gradient.
      optimization: { disable_specified_optimizers: "ReshapeFusion" },
    },
  };
}

/** A missing, unknown or wrongly shaped input is a bug of the caller: said here rather than deep in the runtime. */
function checkFeeds(name: string, { inputs }: Encoded, feeds: Readonly<Record<string, Tensor | Kept>>): void {
  const sizes = new Map<string, number>();
  for (const [input, { shape, dtype }] of inputs) {
    const feed = feeds[input];
    if (!feed) throw new Error(`${name}: input ${input} is missing`);
    if ("kept" in feed) continue;
    const fits =
      feed.shape.length === shape.length &&
      shape.every((d, axis) => {
        const known = typeof d === "number" ? d : (sizes.get(dimKey(d)) ?? feed.shape[axis]!);
        sizes.set(dimKey(d), known);
        return known === feed.shape[axis];
      }) &&
      feed.shape.reduce((a, b) => a * b, 1) === feed.data.length &&
      (dtype === "int32") === feed.data instanceof Int32Array;
    if (!fits)
      throw new Error(`${name}: input ${input} is [${feed.shape.join(", ")}], not ${dtype} ${showShape(shape)}`);
  }
  for (const feed of Object.keys(feeds)) if (!inputs.has(feed)) throw new Error(`${name}: there is no input ${feed}`);
}

const firstLine = (message: string): string => message.split("\n")[0]!.trim();

/** Adds up a profile of ONNX Runtime by operator type. */
function summarise(graph: string, json: string): OperatorTime[] {
  const events = JSON.parse(json) as { cat?: string; name?: string; dur?: number; args?: { op_name?: string } }[];
  const sums = new Map<string, { milliseconds: number; calls: number }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== "Node" || !name?.endsWith("_kernel_time") || args?.op_name === undefined) continue;
    const sum = sums.get(args.op_name) ?? { milliseconds: 0, calls: 0 };
    sums.set(args.op_name, { milliseconds: sum.milliseconds + (dur ?? 0) / 1000, calls: sum.calls + 1 });
  }
  return [...sums].map(([operator, sum]) => ({ graph, operator, ...sum }));
}
