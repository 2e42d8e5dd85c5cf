/** ONNX Runtime for the browser, loaded when first needed from beside the page's code. */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-web";
import type { ByteSource } from "../../bytes/source.ts";
import type { Encoded } from "../../graph/index.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { engineOn, type Host } from "../host.ts";
import type { Device } from "../targets.ts";
import type { Tensor } from "../tensor.ts";

/** Starts the engine: "cpu" is WebAssembly, "webgpu" the browser's GPU. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const device = options.device ?? "cpu";
  return engineOn(await startHost(device, options), device, options);
}

async function startHost(device: Device, { threads }: EngineOptions): Promise<Host> {
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web");
  env.logLevel = "fatal"; // errors are thrown, and Tiller reports them once
  if (threads !== undefined) env.wasm.numThreads = threads;
  const sessions = new Map<number, InferenceSession>();
  const kept = new Map<number, Readonly<Record<string, OrtTensor>>>();
  const toOrt = ({ shape, data }: Tensor) =>
    data instanceof Int32Array ? new Tensor("int32", data, shape) : new Tensor("float32", data, shape);
  return {
    async create(session, _, encoded) {
      sessions.set(
        session,
        await InferenceSession.create(encoded.model, {
          executionProviders: device === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
          graphOptimizationLevel: "all",
          externalData: await externalData(encoded),
        }),
      );
    },
    async run(session, feeds, keep) {
      const inputs = Object.entries(feeds).map(([name, feed]): [string, OrtTensor] => {
        const tensor = "kept" in feed ? kept.get(feed.kept)?.[name] : toOrt(feed);
        if (!tensor) throw new Error(`no kept tensor ${name}`);
        return [name, tensor];
      });
      const results = await sessions.get(session)!.run(Object.fromEntries(inputs));
      if (keep !== undefined) {
        kept.set(keep, { ...kept.get(keep), ...(results as Readonly<Record<string, OrtTensor>>) });
        return {};
      }
      const outputs: Record<string, Tensor> = {};
      for (const [name, tensor] of Object.entries(results) as [string, OrtTensor][]) {
        outputs[name] = { shape: tensor.dims, data: (await tensor.getData()) as Float32Array };
      }
      return outputs;
    },
    async hold(keep, tensors) {
      kept.set(keep, Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)])));
    },
    async give(keep, tensors) {
      kept.set(keep, Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)])));
    },
    async take(keep) {
      const tensors: Record<string, Tensor> = {};
      for (const [name, { dims, data }] of Object.entries(kept.get(keep) ?? {})) {
        tensors[name] = { shape: dims, data: data as Float32Array };
      }
      kept.delete(keep);
      return tensors;
    },
    async drop(keep) {
      kept.delete(keep);
    },
    async release(session) {
      await sessions.get(session)?.release();
      sessions.delete(session);
    },
    async close() {
      for (const session of sessions.values()) await session.release();
      sessions.clear();
      kept.clear();
      return [];
    },
  };
}

/** Sources that are not files are handed to the runtime whole, under their names in the graph. */
const externalData = ({ handed }: Encoded) =>
  Promise.all(
    [...handed].map(async ([path, source]: [string, ByteSource]) => ({
      path,
      data: await source.read(0, source.size),
    })),
  );
