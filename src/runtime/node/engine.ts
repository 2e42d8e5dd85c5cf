/** ONNX Runtime's Node binding, in its own worker thread. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { InferenceSession } from "onnxruntime-node";
import { TillerError } from "../../errors/index.ts";
import type { Encoded } from "../../graph/index.ts";
import type { Engine, EngineOptions, OperatorTime } from "../engine.ts";
import { engineOn, type Host } from "../host.ts";
import { type Device, isOpenVino, type OpenVinoDevice } from "../targets.ts";
import { engineMissing } from "./engine-missing.ts";
import { refuseTelemetry } from "./quiet.ts";

/** The worker is plain JavaScript, so that it runs beside both the source and the build of this file. */
const workerFile = new URL("./worker.js", import.meta.url);

/** Starts the engine on a device that is known to work (see `resolveDevice`). */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  refuseTelemetry();
  const device = options.device ?? "cpu";
  if (isOpenVino(device)) {
    const { openVinoHost } = await import("./openvino/host.ts");
    const { precision = "float32", threads, profile = false } = options;
    if (precision === "int8") throw new RangeError("OpenVINO does not compute in int8");
    const host = await openVinoHost({ device: openVinoName(device), precision: hints[precision], threads, profile });
    return engineOn(host, device, options);
  }
  if (device === "cuda" && process.platform === "linux") {
    const { loadCuda } = await import("./cuda/load.ts");
    await loadCuda();
  }
  return engineOn(await startWorker(device, options), device, options);
}

const hints = { float32: "f32", bfloat16: "bf16", float16: "f16" } as const;

const openVinoName = (device: OpenVinoDevice): "CPU" | "GPU" | "NPU" =>
  device === "openvino" ? "CPU" : device === "openvino:gpu" ? "GPU" : "NPU";

async function startWorker(device: Device, { threads, profile, lowMemory }: EngineOptions): Promise<Host> {
  // `--input-type`, for programs given as text (`node --input-type=module --eval …`), is invalid for a file.
  const worker = new Worker(workerFile, {
    execArgv: process.execArgv.filter((arg) => !arg.startsWith("--input-type")),
  });
  worker.unref();
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const asked = new Set<Promise<unknown>>();
  const open = new Map<number, string>();
  const profileFolder = profile ? await mkdtemp(join(tmpdir(), "tiller-profile-")) : undefined;
  let serial = 0;
  let ended: Error | undefined;

  const failAll = (error: Error) => {
    ended ??= error; // keep the cause, not the exit that follows it
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };
  worker.on("error", (error) => failAll(engineMissing(error)));
  worker.on("exit", () => failAll(closed()));
  worker.on("message", (message: { id: number; ok?: never; error?: string }) => {
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (pending.size === 0) worker.unref();
    if (message.error === undefined) waiting?.resolve(message.ok as never);
    else waiting?.reject(new Error(message.error));
  });
  const call = <T>(kind: string, request: unknown, moved: ArrayBuffer[] = []): Promise<T> => {
    if (ended) return Promise.reject(ended);
    const id = ++serial;
    worker.ref();
    const answer = new Promise<T>((resolve, reject) => {
      pending.set(id, { resolve, reject });
      worker.postMessage({ id, kind, request }, moved);
    });
    asked.add(answer);
    const answered = () => asked.delete(answer);
    answer.then(answered, answered);
    return answer;
  };
  const release = async (session: number): Promise<OperatorTime[]> => {
    const name = open.get(session);
    if (name === undefined) return [];
    open.delete(session);
    const profileFile = profileFolder && (await readdir(profileFolder)).find((file) => file.startsWith(`${session}-`));
    const text = await call<string | undefined>("release", {
      session,
      profileFile: profileFolder && join(profileFolder, profileFile ?? ""),
    });
    return text === undefined ? [] : summarise(name, text);
  };

  return {
    async create(session, name, encoded, { inPlace }) {
      const prefix = profileFolder && join(profileFolder, `${session}-`);
      const options = sessionOptions(encoded, device, { threads, lowMemory: lowMemory || inPlace, profile: prefix });
      await call("create", { session, model: encoded.model, options });
      open.set(session, name);
    },
    run: (session, feeds, keep) => call("run", { session, feeds, keep }),
    hold: (keep, tensors) => call("hold", { keep, tensors }),
    give: (keep, tensors) =>
      call(
        "hold",
        { keep, tensors },
        Object.values(tensors).map(({ data }) => data.buffer as ArrayBuffer),
      ),
    take: (keep) => call("take", { keep }),
    drop: (keep) => call("drop", { keep }),
    release: async (session) => void (await release(session)),
    async close() {
      if (ended) return [];
      const times: OperatorTime[] = [];
      for (const session of [...open.keys()]) times.push(...(await release(session)));
      ended = closed();
      // ONNX Runtime's binding aborts the process if its thread is stopped while building or running a network.
      await Promise.allSettled(asked);
      await worker.terminate();
      if (profileFolder !== undefined) await rm(profileFolder, { recursive: true, force: true });
      return times.sort((a, b) => b.milliseconds - a.milliseconds);
    },
  };
}

const closed = () => new TillerError("engine-closed", "The engine has been closed.");

/** Operators that a provider lacks fall back to the CPU. */
const providersOf = (device: Device): InferenceSession.ExecutionProviderConfig[] =>
  device === "cpu" ? ["cpu"] : [device, "cpu"];

function sessionOptions(
  encoded: Encoded,
  device: Device,
  {
    threads,
    profile,
    lowMemory,
  }: { threads?: number | undefined; profile?: string | undefined; lowMemory?: boolean | undefined },
): InferenceSession.SessionOptions {
  return {
    executionProviders: providersOf(device),
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    // A plan of a run's memory is made after the first run and takes as much again as the run did; it saves no time.
    enableMemPattern: false,
    // An arena keeps the memory of finished operators for later ones.
    ...(lowMemory ? { enableCpuMemArena: false } : {}),
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    extra: {
      ...(encoded.root !== undefined && { session: { model_external_initializers_file_folder_path: encoded.root } }),
      // It merges two consecutive reshapes, and breaks the graph if the first also feeds a gradient.
      optimization: { disable_specified_optimizers: "ReshapeFusion" },
    },
  };
}

/** Sums an ONNX Runtime profile by operator type. */
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
