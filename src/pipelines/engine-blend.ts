/** A blend of two checkpoints in the engine's memory, computed there again, in place, when omega moves. */
import { areComputable } from "../bytes/computable.ts";
import { bytesPerElement, type DType } from "../bytes/tensor-ref.ts";
import * as g from "../graph/index.ts";
import { type Engine, float32, type Kept, type Session, type Tensor } from "../runtime/index.ts";
import { blendTensor, type Pair, sharesOf, tooLarge } from "../weights/blend.ts";

/** Blended weights, as inputs of graphs. */
export interface EngineBlend {
  /**
   * Computes the blend at an omega for each name; what has it already stays.
   *
   * @throws TillerError if omega is not finite, or values become too large.
   */
  move(omegaOf: (name: string) => number): Promise<void>;
  /** The weights among the inputs of a graph. */
  feeds(names: Iterable<string>): Readonly<Record<string, Kept>>;
}

/** The blend of `pairs`, by the names of graph inputs. */
export function blendInEngine(engine: Engine, pairs: ReadonlyMap<string, Pair>): EngineBlend {
  const groups = groupsOf([...pairs].filter(([, pair]) => isComputed(pair)));
  const others = [...pairs].flatMap(([name, pair]) => (isComputed(pair) ? [] : [name]));
  const sessions: Session[] = [];
  let kept: Kept | undefined;
  const at = new Map<string, number>();

  /** Changes kept tensors here. */
  async function change(work: (memory: Record<string, Tensor>) => Promise<void>): Promise<void> {
    const memory = kept ? { ...(await engine.take(kept)) } : {};
    try {
      await work(memory);
    } finally {
      kept = await engine.give(memory);
    }
  }

  /** Blends tensors that the engine does not compute. */
  const blendHere = (names: readonly string[], omegaOf: (name: string) => number): Promise<void> =>
    change(async (memory) => {
      for (const name of names) {
        const pair = pairs.get(name)!;
        const into = memory[name]?.data as Float32Array | undefined;
        // What has a place was blended, and so checked, before.
        const blended = await blendTensor(pair, omegaOf(name), { into, finite: into !== undefined });
        memory[name] = float32(pair.tuned.shape, blended);
      }
    });

  /** Blends the tensors of a group in the engine. */
  async function blendThere(index: number, omegaOf: (name: string) => number): Promise<void> {
    const group = groups[index]!;
    sessions[index] ??= await engine.compile("blend", blendOf(group), { wide: true, inPlace: true });
    await sessions[index].renew(sharesFor(group.keys(), omegaOf), kept!);
    // Between 0 and 1 no value is beyond the larger of the two.
    const beyond = [...group.keys()].filter((name) => omegaOf(name) < 0 || omegaOf(name) > 1);
    if (beyond.length === 0) return;
    await change(async (memory) => {
      for (const name of beyond)
        if (!areComputable(memory[name]!.data as Float32Array)) throw tooLarge(pairs.get(name)!.tuned, omegaOf(name));
    });
  }

  return {
    async move(omegaOf) {
      const changed = new Set([...pairs.keys()].filter((name) => at.get(name) !== omegaOf(name)));
      for (const name of changed) sharesOf(omegaOf(name));
      for (const name of changed) at.delete(name);
      const here = others.filter((name) => changed.has(name));
      if (!kept)
        await change(async (memory) => {
          for (const group of groups) for (const [name, pair] of group) memory[name] = placeFor(pair);
        });
      if (here.length > 0) await blendHere(here, omegaOf);
      for (const [index, group] of groups.entries())
        if ([...group.keys()].some((name) => changed.has(name))) await blendThere(index, omegaOf);
      for (const name of changed) at.set(name, omegaOf(name));
    },
    feeds(names) {
      const feeds: Record<string, Kept> = {};
      if (kept) for (const name of names) if (pairs.has(name)) feeds[name] = kept;
      return feeds;
    },
  };
}

/** The most bytes that the engine blends at a time: it has its results twice for a moment. */
const groupBytes = 2 ** 28;

/** Consecutive pairs, a few hundred megabytes at a time. */
function groupsOf(pairs: readonly (readonly [string, Pair])[]): Map<string, Pair>[] {
  const groups: Map<string, Pair>[] = [];
  let room = 0;
  for (const [name, pair] of pairs) {
    const bytes = 4 * elementsOf(pair);
    if (groups.length === 0 || bytes > room) {
      groups.push(new Map());
      room = groupBytes;
    }
    groups.at(-1)!.set(name, pair);
    room -= bytes;
  }
  return groups;
}

const elementsOf = ({ tuned }: Pair): number => tuned.byteLength / bytesPerElement[tuned.dtype];

const placeFor = (pair: Pair): Tensor => float32(pair.tuned.shape, new Float32Array(elementsOf(pair)));

/** Whether the engine computes a blend as {@link blendTensor} does: from files, in numbers whose rounding is the same in it. */
const isComputed = ({ tuned, pre }: Pair): boolean =>
  [tuned, pre].every(({ source, dtype }) => source.path !== undefined && exact.has(dtype)) &&
  String(tuned.shape) === String(pre.shape);

const exact: ReadonlySet<DType> = new Set(["float32", "float16"]);

/** The names of the inputs that are a tensor's shares of both models. */
const shareNames = (name: string): readonly [string, string] => [
  `fine-tuned share of ${name}`,
  `base share of ${name}`,
];

/** omega theta_ft + (1 - omega) theta_pre, as the fine-tuned model's type has it. */
function blendOf(pairs: ReadonlyMap<string, Pair>): g.Outputs {
  const blends: Record<string, g.Value> = {};
  for (const [name, { tuned, pre }] of pairs) {
    const [a, b] = shareNames(name).map((share) => g.input(share, [])) as [g.Value, g.Value];
    const blended = g.add(g.multiply(g.parameter(tuned), a), g.multiply(g.parameter(pre), b));
    blends[name] = g.rounded(blended, tuned.dtype as "float32" | "float16");
  }
  return blends;
}

function sharesFor(names: Iterable<string>, omegaOf: (name: string) => number): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const name of names) {
    const shares = sharesOf(omegaOf(name));
    for (const [i, input] of shareNames(name).entries()) feeds[input] = float32([], Float32Array.of(shares[i]!));
  }
  return feeds;
}
