/** The loaded adapters as inputs of a compiled graph: factors stacked along the rank, strengths by batch row. */
import { type Adapter, stackSite, stackVectors, strengthRow } from "../adapters/index.ts";
import type { Components, DenoiserSide } from "../families/family.ts";
import { type Share, shareAt } from "../guidance/share.ts";
import { scoped, splitScope } from "../models/components.ts";
import { siteInputs, vectorInputs } from "../models/module.ts";
import { type AdapterStrength, strengthIn } from "../recipe/adapter-strength.ts";
import { type Engine, float32, type Kept, type Session, stackRows, type Tensor } from "../runtime/index.ts";
import { partsAt } from "./model-parts.ts";

type Feeds = Readonly<Record<string, Tensor | Kept>>;

/** Adapters at one graph's sites; their factors are already in the worker. */
export interface AdapterInputs {
  /** The factors; the same for every batch. */
  readonly factors: Feeds;
  /** The strengths for a batch; each row's is a multiple of the adapters' own in the site's component. */
  strengths(rowStrengths: readonly Share[]): Readonly<Record<string, Tensor>>;
  /** Whether rows of two strengths are the same to this graph. */
  same(one: Share, other: Share): boolean;
  drop(): Promise<void>;
}

export interface LoadedAdapter {
  readonly adapter: Adapter;
  readonly strength: AdapterStrength;
}

/** Stacks the factors at every site of `session` and moves them to the worker. */
export async function loadAdapterInputs(
  engine: Engine,
  session: Session,
  { components, denoiser }: { readonly components: Components; readonly denoiser: Pick<DenoiserSide, "blocks"> },
  loaded: readonly LoadedAdapter[],
): Promise<AdapterInputs> {
  const adapters = loaded.map(({ adapter }) => adapter);
  const factors: Record<string, Tensor> = {};
  const owners = new Map<string, { component: string; parts: readonly string[]; owner: Int32Array }>();
  // The WebGPU provider crashes on an empty tensor.
  const leastRank = engine.device === "webgpu" ? 1 : 0;
  for (const { component, path } of sitesOf(session.inputs)) {
    const parts = partsAt(denoiser, component, path);
    const vector = vectorInputs(scoped(component, path));
    const taken = session.inputs.get(vector.vectors);
    if (taken) {
      const length = taken.shape[1] as number;
      const { vectors, owner } = stackVectors(adapters, component, path, length, leastRank);
      factors[vector.vectors] = float32([owner.length, length], vectors);
      owners.set(vector.strength, { component, parts, owner });
      continue;
    }
    const names = siteInputs(scoped(component, path));
    const weight = components.get(component)!.weights.get(`${path}.weight`)!;
    const kind = session.inputs.get(names.down)!.shape.length === 4 ? "conv" : "linear";
    const { rank, down, up, owner } = await stackSite(adapters, component, path, { kind, weight }, leastRank);
    const [out, width, ...kernel] = weight.shape as [number, number, ...number[]];
    const conv = kind === "conv";
    factors[names.down] = float32(conv ? [rank, width, ...kernel] : [width, rank], down);
    factors[names.up] = float32(conv ? [out, rank, 1, 1] : [rank, out], up);
    owners.set(names.strength, { component, parts, owner });
  }
  const kept = await engine.hold(factors);
  return {
    factors: Object.fromEntries(Object.keys(factors).map((name) => [name, kept])),
    strengths(rowStrengths) {
      const feeds: Record<string, Tensor> = {};
      for (const [name, { component, parts, owner }] of owners) {
        const strengths = loaded.map(({ strength }) => strengthIn(strength, component));
        const rows = rowStrengths.map((share) =>
          float32([1, 1, owner.length], strengthRow(owner, strengths, shareAt(share, parts))),
        );
        feeds[name] = stackRows(rows);
      }
      return feeds;
    },
    same: (one, other) =>
      [...owners.values()].every(
        ({ parts, owner }) => owner.every((adapter) => adapter === -1) || shareAt(one, parts) === shareAt(other, parts),
      ),
    drop: () => engine.drop(kept),
  };
}

/** The modules and vectors that adapters may change in a graph with these inputs. */
export function sitesOf(inputs: ReadonlyMap<string, unknown>): { component: string; path: string }[] {
  const suffix = siteInputs("").strength;
  return [...inputs.keys()]
    .filter((name) => name.endsWith(suffix))
    .map((name) => {
      const { component, rest } = splitScope(name.slice(0, -suffix.length));
      return { component, path: rest };
    });
}
