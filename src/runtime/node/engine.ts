/** Compiles graphs to sessions and runs them, in a worker thread of their own. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { InferenceSession } from "onnxruntime-node";
import { TillerError } from "../../errors.ts";
import { dimKey, type Encoded, encode, showShape, type Target } from "../../graph/index.ts";
import { attentionIsRight } from "../attention-check.ts";
import type { Engine, Kept, OperatorTime } from "../engine.ts";
import "./quiet.ts";
import { type Device, targets } from "../targets.ts";
import type { Tensor } from "../tensor.ts";

export interface EngineOptions {
  readonly device?: Device;
  /** Threads of one operator; default: the runtime's choice, one for each physical core. */
  readonly threads?: number | undefined;
  /** Record the time every operator takes; read by {@link Engine.close}. */
  readonly profile?: boolean | undefined;
  /** What graphs are lowered for where it is not what the device's entry in `targets` says: for tests and measurements. */
  readonly target?: Partial<Omit<Target, "provider">> | undefined;
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

  let target: Target = { ...targets[device], ...options.target };
  const engine: Engine = {
    device,
    get target() {
      return target;
    },
    get fusedAttention() {
      return target.fused.has("attention");
    },
    get sessionsBuilt() {
      return built;
    },
    async compile(name, outputs) {
      const encoded = encode(outputs, target);
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
    if (device === "webgpu" && engine.fusedAttention && !(await attentionIsRight(engine))) {
      target = { ...target, fused: new Set([...target.fused].filter((name) => name !== "attention")) };
    }
  } catch (error) {
    await engine.close();
    throw error;
  }
  built = 0;
  return engine;
}

/** Operators that a provider lacks fall to the CPU. */
const providersOf = (device: Device): InferenceSession.ExecutionProviderConfig[] =>
  device === "cpu" ? ["cpu"] : [device, "cpu"];

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
