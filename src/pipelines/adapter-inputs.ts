/** The loaded adapters as the inputs of one compiled graph: factors stacked by rank, strengths by batch row. */
import { type Adapter, stackSite, strengthRow } from "../adapters/index.ts";
import { siteInputs } from "../models/module.ts";
import { type Engine, float32, type Kept, type Session, stackRows, type Tensor } from "../runtime/index.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

type Feeds = Readonly<Record<string, Tensor | Kept>>;

/** Adapters at one graph's sites, their factors already in the worker. */
export interface AdapterInputs {
  /** The feeds for a batch whose rows have these shares of the adapters' strengths. */
  feeds(rowStrengths: readonly number[]): Feeds;
  drop(): Promise<void>;
}

export interface LoadedAdapter {
  readonly adapter: Adapter;
  readonly strength: number;
}

/** Stacks the factors at every site of `session` and moves them to the worker. */
export async function loadAdapterInputs(
  engine: Engine,
  session: Session,
  part: "unet" | "textEncoder",
  weights: Checkpoint,
  loaded: readonly LoadedAdapter[],
): Promise<AdapterInputs> {
  const adapters = loaded.map(({ adapter }) => adapter);
  const strengths = loaded.map(({ strength }) => strength);
  const factors: Record<string, Tensor> = {};
  const owners = new Map<string, Int32Array>();
  // The WebGPU provider does not survive an empty tensor.
  const leastRank = engine.device === "webgpu" ? 1 : 0;
  for (const path of sitesOf(session.inputs)) {
    const names = siteInputs(path);
    const weight = weights.get(`${path}.weight`)!;
    const kind = session.inputs.get(names.down)!.shape.length === 4 ? "conv" : "linear";
    const { rank, down, up, owner } = await stackSite(adapters, part, path, { kind, weight }, leastRank);
    const [out, width, ...kernel] = weight.shape as [number, number, ...number[]];
    const conv = kind === "conv";
    factors[names.down] = float32(conv ? [rank, width, ...kernel] : [width, rank], down);
    factors[names.up] = float32(conv ? [out, rank, 1, 1] : [rank, out], up);
    owners.set(path, owner);
  }
  const kept = await engine.hold(factors);
  const held: Record<string, Kept> = Object.fromEntries(Object.keys(factors).map((name) => [name, kept]));
  return {
    feeds(rowStrengths) {
      const feeds: Record<string, Tensor | Kept> = { ...held };
      for (const [path, owner] of owners) {
        const rows = rowStrengths.map((share) => float32([1, 1, owner.length], strengthRow(owner, strengths, share)));
        feeds[siteInputs(path).strength] = stackRows(rows);
      }
      return feeds;
    },
    drop: () => engine.drop(kept),
  };
}

/** The modules that have a low-rank branch in a graph with these inputs. */
export function sitesOf(inputs: ReadonlyMap<string, unknown>): string[] {
  const suffix = siteInputs("").strength;
  return [...inputs.keys()].filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
}
