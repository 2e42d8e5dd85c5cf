/** The engine on top of a runtime's host: lowering, checks and messages are the same everywhere. */
import { refuseNotFinite } from "../bytes/refuse-not-finite.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import { dimKey, type Encoded, encode, type Place, showShape, type Target, weightsOf } from "../graph/index.ts";
import { attentionIsRight } from "./attention-check.ts";
import type { CompileOptions, Engine, EngineOptions, Feeds, OperatorTime, Precision } from "./engine.ts";
import { int8IsExact } from "./int8-check.ts";
import { type Device, isOpenVino, targets } from "./targets.ts";
import type { Tensor } from "./tensor.ts";

/** What a runtime provides: sessions and kept tensors, by number. */
export interface Host {
  /** Where it finds weights; by default, in their files. */
  readonly place?: Place | undefined;
  create(session: number, name: string, encoded: Encoded, options: CompileOptions): Promise<void>;
  /** The outputs; empty if they are kept under the number `keep`, where they replace those of the same names. */
  run(session: number, feeds: Feeds, keep?: number): Promise<Readonly<Record<string, Tensor>>>;
  hold(keep: number, tensors: Readonly<Record<string, Tensor>>): Promise<void>;
  give(keep: number, tensors: Readonly<Record<string, Tensor>>): Promise<void>;
  take(keep: number): Promise<Readonly<Record<string, Tensor>>>;
  drop(keep: number): Promise<void>;
  release(session: number): Promise<void>;
  /** Releases everything; with profiling on, returns the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

/** The engine of a host, on a device that is known to work. */
export async function engineOn(
  host: Host,
  device: Device,
  { target: changed, precision = "float32", lowMemory }: Pick<EngineOptions, "target" | "precision" | "lowMemory"> = {},
): Promise<Engine> {
  let serial = 0;
  let built = 0;
  let target: Target = {
    ...targets[device],
    ...(isOpenVino(device) ? {} : numbersOf(precision)),
    ...(lowMemory && device === "cpu" ? { mapped: "all" as const } : {}),
    ...changed,
  };
  /** The weights that were found finite. */
  const finite = new Set<string>();
  const closing = new AbortController();
  const check = async (weights: readonly TensorRef[]): Promise<void> => {
    const unknown = new Map(weights.map((ref): [string, TensorRef] => [placeOf(ref), ref]));
    for (const place of finite) unknown.delete(place);
    await refuseNotFinite([{ weights: unknown }], closing.signal);
    for (const place of unknown.keys()) finite.add(place);
  };
  const targetFor = ({ wide, inPlace }: CompileOptions): Target => ({
    ...target,
    ...(wide && target.real === "float16" ? { real: "float32" } : {}),
    ...(inPlace && device === "cpu" ? { mapped: "all" } : {}),
  });
  const engine: Engine = {
    device,
    precision,
    get target() {
      return target;
    },
    get fusedAttention() {
      return target.fused.has("attention");
    },
    get sessionsBuilt() {
      return built;
    },
    async compile(name, outputs, options = {}) {
      const encoded = encode(outputs, targetFor(options), host.place);
      const session = ++serial;
      const [created, checked] = await Promise.allSettled([
        host.create(session, name, encoded, options),
        check(weightsOf(outputs)),
      ]);
      // What the runtime says of such weights explains nothing; of a file that neither can read it names the network.
      const refused = checked.status === "rejected" ? (checked.reason as Error) : undefined;
      if (created.status === "rejected" && !(refused instanceof TillerError && refused.code === "not-finite")) {
        const error = created.reason as Error;
        if (error instanceof TillerError) throw error;
        // The runtime's message may name files that it cannot read.
        throw new TillerError(
          "network-not-built",
          `the ${name} cannot be built on ${device}: ${firstLine(error.message)}.`,
          { paths: encoded.files, cause: error },
        );
      }
      if (refused) {
        if (created.status === "fulfilled") await host.release(session);
        throw refused;
      }
      built++;
      const send = (feeds: Feeds, keep?: number) => {
        checkFeeds(name, encoded, feeds);
        return host.run(session, feeds, keep).catch((error: Error) => {
          if (error instanceof TillerError) throw error;
          throw new TillerError("network-failed", `the ${name} failed on ${device}: ${firstLine(error.message)}.`, {
            cause: error,
          });
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
        renew: async (feeds, { kept }) => void (await send(feeds, kept)),
        release: () => host.release(session),
      };
    },
    check: (outputs) => check(weightsOf(outputs)),
    async hold(tensors) {
      const kept = ++serial;
      await host.hold(kept, tensors);
      return { kept };
    },
    async give(tensors) {
      const kept = ++serial;
      await host.give(kept, tensors);
      return { kept };
    },
    take: ({ kept }) => host.take(kept),
    drop: ({ kept }) => host.drop(kept),
    close() {
      closing.abort(new TillerError("engine-closed", "The engine has been closed."));
      return host.close();
    },
  };
  try {
    if (device === "webgpu" && engine.fusedAttention && !(await attentionIsRight(engine))) {
      target = { ...target, fused: new Set([...target.fused].filter((name) => name !== "attention")) };
    }
    if (target.int8 === 127 && !(await int8IsExact(engine))) target = { ...target, int8: 63 };
  } catch (error) {
    await engine.close();
    throw error;
  }
  built = 0;
  return engine;
}

const placeOf = ({ source, offset, byteLength, dtype }: TensorRef): string =>
  `${source.name}|${offset}|${byteLength}|${dtype}`;

const numbersOf = (precision: Precision): Pick<Target, "real" | "int8"> =>
  precision === "int8" ? { real: "float32", int8: 127 } : { real: precision, int8: 0 };

/** Reports a missing, unknown or wrongly shaped input, a bug in the caller, before it fails deep in the runtime. */
function checkFeeds(name: string, { inputs }: Encoded, feeds: Feeds): void {
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

const firstLine = (message: string): string => message.split("\n")[0]!.trim().replace(/\.$/, "");
