/** A blend of two checkpoints in the engine's memory, computed there again, in place, when omega moves. */
import { type Engine, float32, type Kept, type Tensor } from "../runtime/index.ts";
import { blendTensor, type Pair } from "../weights/blend.ts";

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
  let kept: Kept | undefined;
  let finite = false;
  const at = new Map<string, number>();
  return {
    async move(omegaOf) {
      const memory: Record<string, Tensor> = kept ? { ...(await engine.take(kept)) } : {};
      kept = undefined;
      for (const [name, pair] of pairs) {
        const omega = omegaOf(name);
        if (at.get(name) === omega) continue;
        at.delete(name);
        const into = memory[name]?.data as Float32Array | undefined;
        memory[name] = float32(pair.tuned.shape, await blendTensor(pair, omega, { into, finite }));
        at.set(name, omega);
      }
      finite = true;
      kept = await engine.give(memory);
    },
    feeds(names) {
      const feeds: Record<string, Kept> = {};
      if (kept) for (const name of names) if (pairs.has(name)) feeds[name] = kept;
      return feeds;
    },
  };
}
