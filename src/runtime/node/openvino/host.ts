/** OpenVINO as a host of the engine: reads models with their weights in place, and compiles them for each input shape. */
import type { Encoded, Place } from "../../../graph/index.ts";
import type { Feeds, OperatorTime } from "../../engine.ts";
import type { Host } from "../../host.ts";
import type { Tensor } from "../../tensor.ts";
import { type Library, openLibrary, type Pointer } from "./library.ts";
import { makeLinks } from "./links.ts";
import { type Mappings, openMappings } from "./mapping.ts";

/** Compiled shapes kept per graph: sizes and batches change now and then, and each holds packed weights. */
const mostShapes = 2;

/** The location for which OpenVINO's ONNX reader, like ONNX Runtime, takes the offset as a memory address. */
const memory = "*/_ORT_MEM_ADDR_/*";

interface Compiled {
  readonly compiled: Pointer;
  readonly request: Pointer;
}

interface Session {
  readonly name: string;
  readonly encoded: Encoded;
  /** Whether it needs float32's range. */
  readonly wide: boolean;
  /** By input shapes, most recently used last. */
  readonly compiled: Map<string, Compiled>;
  readonly times: Map<string, { milliseconds: number; calls: number }>;
}

export interface OpenVinoOptions {
  readonly device: "CPU" | "GPU" | "NPU";
  /** Number type of products: a hint that OpenVINO follows if the device supports it. */
  readonly precision: "f32" | "bf16" | "f16";
  readonly threads: number | undefined;
  readonly profile: boolean;
}

/** @throws TillerError `openvino-missing`, or `device-unavailable` if this machine has no such device. */
export async function openVinoHost(options: OpenVinoOptions): Promise<Host> {
  const library = await openLibrary();
  const mappings = await openMappings();
  const { device, precision, threads, profile } = options;
  const properties = {
    INFERENCE_PRECISION_HINT: precision,
    ...(device === "CPU" && { INFERENCE_NUM_THREADS: String(threads ?? 0) }), // 0: OpenVINO chooses
    PERF_COUNT: profile ? "YES" : "NO",
  };
  return hostOf(library, mappings, properties, options);
}

function hostOf(
  library: Library,
  mappings: Mappings,
  properties: Readonly<Record<string, string>>,
  { device, profile }: OpenVinoOptions,
): Host {
  const hint = properties.INFERENCE_PRECISION_HINT;
  const widened = hint === "f16" ? { ...properties, INFERENCE_PRECISION_HINT: "f32" } : properties;
  const links = makeLinks();
  const sessions = new Map<number, Session>();
  const kept = new Map<number, Readonly<Record<string, Tensor>>>();
  let closed = false;
  // Sequential: a request serves one run at a time, and two at once would share the cores anyway.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => {
      if (closed) throw new Error("the engine has been closed");
      return work();
    });
    last = turn.catch(() => {});
    return turn;
  };

  async function compiledFor(
    { encoded, compiled, wide }: Session,
    feeds: Readonly<Record<string, Tensor>>,
  ): Promise<Compiled> {
    const open = [...encoded.inputs].filter(([, { shape }]) => shape.some((d) => typeof d !== "number"));
    const shapes = new Map(open.map(([name]) => [name, feeds[name]!.shape]));
    const key = JSON.stringify([...shapes.values()]);
    const known = compiled.get(key);
    if (known) {
      compiled.delete(key);
      compiled.set(key, known);
      return known;
    }
    for (const [oldest, value] of compiled) {
      if (compiled.size < mostShapes) break;
      free(value);
      compiled.delete(oldest);
    }
    const model = await links.read(encoded.model, library.readModel);
    try {
      if (shapes.size > 0) library.reshape(model, shapes);
      const made = await library.compile(model, device, wide ? widened : properties);
      const value = { compiled: made, request: library.createRequest(made) };
      compiled.set(key, value);
      return value;
    } finally {
      library.free("model", model);
    }
  }

  const free = ({ compiled, request }: Compiled) => {
    library.free("infer_request", request);
    library.free("compiled_model", compiled);
  };

  const tensorsOf = (feeds: Feeds): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, feed]) => {
        const tensor = "kept" in feed ? kept.get(feed.kept)?.[name] : feed;
        if (!tensor) throw new Error(`no kept tensor ${name}`);
        return [name, withoutEmptyAxes(tensor)];
      }),
    );

  const place: Place = ({ source, offset }, twin) => {
    const location = links.nameOf(source, twin);
    if (location !== undefined) return { location, offset: String(offset) };
    return { location: memory, offset: String(mappings.addressOf(source, twin) + BigInt(offset)) };
  };

  return {
    place,
    async create(number, name, encoded, { wide = false }) {
      sessions.set(number, { name, encoded, wide, compiled: new Map(), times: new Map() });
    },
    run: (number, feeds, keep) =>
      inTurn(async () => {
        const session = sessions.get(number)!;
        const tensors = tensorsOf(feeds);
        const { request } = await compiledFor(session, tensors);
        const given: Pointer[] = [];
        try {
          for (const [name, { shape, data }] of Object.entries(tensors)) {
            const type = data instanceof Int32Array ? "int32" : "float32";
            const tensor = library.tensor(type, shape, data);
            given.push(tensor);
            library.setTensor(request, name, tensor);
          }
          await library.infer(request);
        } finally {
          for (const tensor of given) library.free("tensor", tensor);
        }
        if (profile) {
          for (const { operator, milliseconds } of library.profile(request)) {
            const sum = session.times.get(operator) ?? { milliseconds: 0, calls: 0 };
            session.times.set(operator, { milliseconds: sum.milliseconds + milliseconds, calls: sum.calls + 1 });
          }
        }
        const outputs = Object.fromEntries(
          [...session.encoded.outputs].map(([name, { shape }]) => [name, library.output(request, name, shape.length)]),
        );
        if (keep === undefined) return outputs;
        kept.set(keep, { ...kept.get(keep), ...outputs });
        return {};
      }),
    async hold(keep, tensors) {
      kept.set(keep, tensors);
    },
    async give(keep, tensors) {
      kept.set(keep, tensors);
    },
    async take(keep) {
      const tensors = kept.get(keep) ?? {};
      kept.delete(keep);
      return tensors;
    },
    async drop(keep) {
      kept.delete(keep);
    },
    release: (number) =>
      inTurn(async () => {
        for (const value of sessions.get(number)?.compiled.values() ?? []) free(value);
        sessions.delete(number);
      }),
    async close() {
      if (closed) return [];
      const times: OperatorTime[] = [];
      await last;
      for (const { name, compiled, times: sums } of sessions.values()) {
        for (const value of compiled.values()) free(value);
        for (const [operator, sum] of sums) times.push({ graph: name, operator, ...sum });
      }
      closed = true;
      sessions.clear();
      kept.clear();
      mappings.close();
      return times.sort((a, b) => b.milliseconds - a.milliseconds);
    },
  };
}

/**
 * Replaces an empty axis, the rank of an absent adapter, with one of zeros, which adds nothing either: OpenVINO compiles no
 * empty axes in bfloat16.
 */
function withoutEmptyAxes({ shape, data }: Tensor): Tensor {
  if (!shape.includes(0)) return { shape, data };
  const filled = shape.map((d) => Math.max(d, 1));
  return { shape: filled, data: new Float32Array(filled.reduce((a, b) => a * b, 1)) };
}
