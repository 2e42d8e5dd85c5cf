/**
 * The thread that owns ONNX Runtime's sessions.
 *
 * `session.run` in Node blocks its thread for a whole step, so it happens here and the main thread stays free for the
 * terminal, HTTP and Ctrl-C. Plain JavaScript, so that the same file runs from the source tree and from the build.
 *
 * @typedef {{ shape: readonly number[], data: Float32Array | Int32Array }} Tensor
 * @typedef {{ session: number, model: Uint8Array, options: import("onnxruntime-node").InferenceSession.SessionOptions }} CreateRequest
 * @typedef {{ session: number, feeds: Record<string, Tensor | { kept: number }>, keep?: number }} RunRequest
 */
import { readFile, rm } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";

if (!parentPort) throw new Error("worker.js runs as a worker thread");
const port = parentPort;
env.logLevel = "fatal"; // errors are thrown, and Tiller reports them once

/** @type {Map<number, InferenceSession>} */
const sessions = new Map();
/** Tensors kept as inputs for runs, so that they are not sent from the main thread each time. @type {Map<number, Record<string, OrtTensor>>} */
const kept = new Map();

const handlers = {
  /** @param {CreateRequest} request */
  async create({ session, model, options }) {
    sessions.set(session, await InferenceSession.create(model, options));
  },

  /** @param {RunRequest} request */
  async run({ session, feeds, keep }) {
    /** @type {Record<string, OrtTensor>} */
    const inputs = {};
    for (const [name, feed] of Object.entries(feeds)) {
      if ("kept" in feed) {
        const tensor = kept.get(feed.kept)?.[name];
        if (!tensor) throw new Error(`no kept tensor ${name}`);
        inputs[name] = tensor;
      } else {
        inputs[name] = toOrt(feed);
      }
    }
    const before = keep === undefined ? undefined : kept.get(keep);
    if (before) {
      const { outputNames } = owned(session);
      await owned(session).run(inputs, Object.fromEntries(outputNames.map((name) => [name, before[name]])));
      return {};
    }
    const results = await owned(session).run(inputs);
    if (keep !== undefined) {
      kept.set(keep, results);
      return {};
    }
    /** @type {Record<string, Tensor>} */
    const outputs = {};
    for (const [name, tensor] of Object.entries(results))
      outputs[name] = { shape: tensor.dims, data: /** @type {Float32Array} */ (tensor.data) };
    return outputs;
  },

  /** @param {{ keep: number, tensors: Record<string, Tensor> }} request */
  async hold({ keep, tensors }) {
    kept.set(keep, Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)])));
  },

  /** @param {{ keep: number }} request */
  async take({ keep }) {
    /** @type {Record<string, Tensor>} */
    const tensors = {};
    for (const [name, { dims, data }] of Object.entries(kept.get(keep) ?? {}))
      tensors[name] = { shape: dims, data: /** @type {Float32Array} */ (data) };
    kept.delete(keep);
    return tensors;
  },

  /** @param {{ keep: number }} request */
  async drop({ keep }) {
    kept.delete(keep);
  },

  /** @param {{ session: number, profileFile?: string }} request */
  async release({ session, profileFile }) {
    const owner = owned(session);
    if (profileFile !== undefined) owner.endProfiling();
    await owner.release();
    sessions.delete(session);
    if (profileFile === undefined) return undefined;
    const text = await readFile(profileFile, "utf8");
    await rm(profileFile);
    return text;
  },
};

/** @param {Tensor} tensor */
function toOrt({ shape, data }) {
  return new OrtTensor(data instanceof Int32Array ? "int32" : "float32", data, shape);
}

/**
 * The memory of a run's outputs or of tensors taken back, which moves to the main thread: nobody here reads it again.
 *
 * @param {Record<string, Tensor>} outputs
 */
function buffersOf(outputs) {
  return /** @type {ArrayBuffer[]} */ ([...new Set(Object.values(outputs).map(({ data }) => data.buffer))]);
}

/** @param {number} id */
function owned(id) {
  const session = sessions.get(id);
  if (!session) throw new Error(`session ${id} is released`);
  return session;
}

port.on("message", async (/** @type {{ id: number, kind: keyof typeof handlers, request: any }} */ message) => {
  try {
    /** @type {any} */
    const ok = await handlers[message.kind](message.request);
    port.postMessage({ id: message.id, ok }, message.kind === "run" || message.kind === "take" ? buffersOf(ok) : []);
  } catch (error) {
    port.postMessage({ id: message.id, error: error instanceof Error ? error.message : String(error) });
  }
});
