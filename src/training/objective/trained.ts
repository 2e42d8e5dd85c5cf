/** The trained tensors, as inputs of the graph: low-rank factors, whole matrices, embeddings. */
import type { LowRank } from "../../adapters/index.ts";
import { readWeight } from "../../bytes/refuse-not-finite.ts";
import type { Components, Model } from "../../families/family.ts";
import { type ByComponent, scoped } from "../../models/components.ts";
import { siteInputs } from "../../models/module.ts";
import { normalValues } from "../../random/streams.ts";
import { float32, type Tensor } from "../../runtime/index.ts";

export interface Trained {
  /** Modules with a low-rank branch. */
  readonly lowRank: ByComponent<ReadonlySet<string>>;
  readonly rank: number;
  readonly alpha: number;
  /** Keys of tensors that are trained whole. */
  readonly matrices: ByComponent<ReadonlySet<string>>;
  /** Embeddings of the learned token; 0 when no token is learned. */
  readonly vectors: number;
}

/** Whether the text networks' outputs change during training. */
export const trainsText = ({ text }: Pick<Model, "text">, { lowRank, vectors }: Trained): boolean =>
  vectors > 0 || text.embeddings.some(({ component }) => (lowRank.get(component)?.size ?? 0) > 0);

/** The modules of a component that LoRA trains, as in Diffusers' scripts, without those that nothing depends on. */
export function projections({ components, adapters }: Model, component: string): Set<string> {
  const idle = adapters.idle?.[component];
  const paths = modulesMatching(components.get(component)!.weights.keys(), adapters.trained[component]!);
  return new Set([...paths].filter((path) => !idle?.test(`${path}.`)));
}

const modulesMatching = (keys: Iterable<string>, pattern: RegExp): Set<string> =>
  new Set(
    [...keys]
      .filter((key) => key.endsWith(".weight"))
      .map((key) => key.slice(0, -".weight".length))
      .filter((path) => pattern.test(path)),
  );

/** The components that are always trained, without the text encoders, which are trained if requested. */
export const trainedComponents = ({ adapters, text }: Pick<Model, "adapters" | "text">): string[] =>
  Object.keys(adapters.trained).filter((name) => !text.embeddings.some(({ component }) => component === name));

/** The cross-attention keys and values, which Custom Diffusion trains. */
export const textMatrices = ({ adapters }: Model): ByComponent<ReadonlySet<string>> =>
  new Map(Object.entries(adapters.keysValues).map(([component, keys]) => [component, new Set(keys)]));

/**
 * The initial tensors by the names of their inputs: A normal with standard deviation 1 / rank and B zero (PEFT's "gaussian"),
 * matrices as in the model, embeddings as given.
 */
export async function initialValues(
  components: Components,
  trained: Trained,
  learned: Readonly<Record<string, Tensor>>,
  seed: number,
): Promise<Map<string, Tensor>> {
  const values = new Map<string, Tensor>();
  for (const [component, paths] of trained.lowRank) {
    for (const path of [...paths].sort()) {
      const [out, width] = components.get(component)!.weights.get(`${path}.weight`)!.shape as [number, number];
      const names = siteInputs(scoped(component, path));
      const down = normalValues(seed, `factor ${path}`, 0, width * trained.rank).map((v) => v / trained.rank);
      values.set(names.down, float32([width, trained.rank], down));
      values.set(names.up, float32([trained.rank, out], new Float32Array(trained.rank * out)));
    }
  }
  for (const [component, keys] of trained.matrices) {
    for (const key of [...keys].sort()) {
      const ref = components.get(component)!.weights.get(key)!;
      values.set(scoped(component, key), float32(ref.shape, await readWeight(ref)));
    }
  }
  for (const [name, table] of Object.entries(learned)) values.set(name, table);
  return values;
}

/** The factors as in an adapter file: A [rank, in], B [out, rank]. */
export function factorsOf({ lowRank, rank, alpha }: Trained, values: ReadonlyMap<string, Tensor>) {
  const all = new Map<string, Map<string, LowRank>>();
  for (const [component, paths] of lowRank) {
    const factors = new Map<string, LowRank>();
    for (const path of paths) {
      const names = siteInputs(scoped(component, path));
      const [down, up] = [transposed(values.get(names.down)!), transposed(values.get(names.up)!)];
      factors.set(path, { down, up, scale: alpha / rank });
    }
    all.set(component, factors);
  }
  return all;
}

function transposed({ shape, data }: Tensor): { shape: readonly number[]; data: Float32Array } {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  return { shape: [columns, rows], data: result };
}
