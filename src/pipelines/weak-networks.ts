/**
 * The networks of a full fine-tune's rows whose strength is not 1: the base itself at 0, and a blend of the two otherwise.
 *
 * A blend's weights are inputs of its graphs, computed in the engine's memory: moving omega builds no network and writes no file.
 * Where the runtime cannot take weights from memory at each step, or there is too little of it, a blend is written once to the
 * user's cache folder instead, and its networks are built from there.
 */
import { cacheFolder, exists, join, makeFolder, stampOf, startHash } from "#bytes";
import { readSafetensors } from "../bytes/safetensors.ts";
import { bytesPerElement, type TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Model } from "../families/family.ts";
import { type Share, shareAt } from "../guidance/share.ts";
import { scoped } from "../models/components.ts";
import { type Engine, totalMemory } from "../runtime/index.ts";
import { blendedRef, isBlended, type Pair, pairsOf, writeBlend } from "../weights/blend.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { LoadedAdapter } from "./adapter-inputs.ts";
import {
  buildDenoiser,
  type Denoiser,
  type DenoiserOptions,
  type DenoiserSource,
  type OpenWeights,
} from "./denoiser.ts";
import { blendInEngine } from "./engine-blend.ts";
import { partsAt } from "./model-parts.ts";

export interface WeakNetworks {
  /** The networks at a strength. Asking for another one between the two models changes those returned before, except at 0. */
  at(strength: Share, adapters: readonly LoadedAdapter[]): Promise<Denoiser>;
  /** @throws TillerError if the strength cannot change at every step, because each one would be written to a file. */
  refuseMoving(): void;
  setAdapters(adapters: readonly LoadedAdapter[]): Promise<void>;
}

/** A blend at one strength after the other. */
type Blend = Omit<WeakNetworks, "refuseMoving">;

/** The pairs of each blended component. */
type Pairs = ReadonlyMap<string, ReadonlyMap<string, Pair>>;

type Build = (source: DenoiserSource, adapters: readonly LoadedAdapter[], open?: OpenWeights) => Promise<Denoiser>;

/** The share of the machine's memory that a blend may take; the rest is for the files it is computed from. */
const share = 1 / 3;

/** @param fits Whether a blend is kept in memory. */
export function weakNetworks(
  engine: Engine,
  model: Model,
  base: Model,
  options: DenoiserOptions,
  fits = fitsInMemory,
): WeakNetworks {
  const build: Build = (source, adapters, open) => buildDenoiser(engine, source, adapters, options, open);
  let pre: Denoiser | undefined;
  let between: Blend | undefined;
  let known: Pairs | undefined;
  const pairsHere = (): Pairs => {
    known ??= pairsBetween(model, base);
    return known;
  };
  return {
    async at(strength, adapters) {
      if (strength === 0) {
        pre ??= await build(base, adapters);
        return pre;
      }
      if (!between) {
        const pairs = pairsHere();
        between = fits(engine, pairs) ? inMemory(engine, model, pairs, build) : inFiles(model, pairs, build);
      }
      return between.at(strength, adapters);
    },
    refuseMoving() {
      if (fits(engine, pairsHere())) return;
      throw new TillerError(
        "setting-invalid",
        "omega changes over the steps, and a full fine-tune needs its blend with the base in memory for that, which this device, precision or memory does not allow: choose one omega for all steps.",
      );
    },
    async setAdapters(adapters) {
      await pre?.setAdapters(adapters);
      await between?.setAdapters(adapters);
    },
  };
}

const pairsBetween = (model: Model, base: Model): Pairs =>
  new Map(
    model.steered.map((name) => {
      const [tuned, pre] = [model, base].map(({ components }) => components.get(name)!.weights) as [
        Checkpoint,
        Checkpoint,
      ];
      return [name, pairsOf(tuned, pre, model.widened?.[name])];
    }),
  );

/** Whether graphs can take a blend's weights from the engine's memory: other devices would copy them at each step. */
export function fitsInMemory({ target }: Pick<Engine, "target">, pairs: Pairs, memory = totalMemory()): boolean {
  if (target.engine !== "onnxruntime" || target.provider !== "cpu" || target.int8 > 0) return false;
  const bytes = [...pairs.values()]
    .flatMap((ofOne) => [...ofOne.values()])
    .reduce((sum, { tuned }) => sum + wide(tuned), 0);
  return memory === undefined || bytes <= share * memory;
}

/** The bytes of a tensor in float32. */
const wide = ({ byteLength, dtype }: TensorRef): number => (4 * byteLength) / bytesPerElement[dtype];

/** The share of each tensor's fine-tuned model. */
const omegaOf = ({ denoiser }: Model, share: Share, component: string, key: string): number =>
  shareAt(share, partsAt(denoiser, component, key));

function inMemory(engine: Engine, model: Model, pairs: Pairs, build: Build): Blend {
  let current: Share | undefined;
  const components = new Map(model.components);
  const keys = new Map<string, Set<string>>();
  const inputs = new Map<string, Pair>();
  const omegas = new Map<string, () => number>();
  for (const [component, ofOne] of pairs) {
    const weights = new Map<string, TensorRef>();
    const open = new Set<string>();
    for (const [key, pair] of ofOne) {
      const mixed = isBlended(pair);
      const omega = () => omegaOf(model, current!, component, key);
      weights.set(key, mixed ? blendedRef(pair, omega) : pair.tuned);
      if (!mixed) continue;
      open.add(key);
      inputs.set(scoped(component, key), pair);
      omegas.set(scoped(component, key), omega);
    }
    components.set(component, { config: model.components.get(component)!.config, weights });
    keys.set(component, open);
  }
  const blend = blendInEngine(engine, inputs);
  let denoiser: Denoiser | undefined;
  return {
    async at(strength, adapters) {
      if (current === undefined || !isSame(strength, current)) {
        current = strength;
        await blend.move((name) => omegas.get(name)!());
        // Adapters that replace matrices are differences from the blend's.
        if (adapters.some(({ adapter }) => adapter.full.size > 0)) await denoiser?.setAdapters(adapters);
      }
      denoiser ??= await build({ ...model, components }, adapters, { keys, feeds: blend.feeds });
      return denoiser;
    },
    setAdapters: async (adapters) => denoiser?.setAdapters(adapters),
  };
}

const isSame = (one: Share, other: Share): boolean => JSON.stringify(one) === JSON.stringify(other);

function inFiles(model: Model, pairs: Pairs, build: Build): Blend {
  let built: { strength: Share; denoiser: Denoiser } | undefined;
  return {
    async at(strength, adapters) {
      if (built && isSame(built.strength, strength)) return built.denoiser;
      await built?.denoiser.release();
      built = undefined;
      const components = new Map(model.components);
      for (const [name, ofOne] of pairs) {
        components.set(name, {
          config: model.components.get(name)!.config,
          weights: await cached(name, ofOne, strength, (key) => omegaOf(model, strength, name, key)),
        });
      }
      built = { strength, denoiser: await build({ ...model, components }, adapters) };
      return built.denoiser;
    },
    setAdapters: async (adapters) => built?.denoiser.setAdapters(adapters),
  };
}

/** A blend in the user's cache folder, written if it is not there yet. */
async function cached(
  part: string,
  pairs: ReadonlyMap<string, Pair>,
  strength: Share,
  omega: (key: string) => number,
): Promise<Checkpoint> {
  if (![...pairs.values()].some(isBlended)) return new Map([...pairs].map(([key, { tuned }]) => [key, tuned]));
  const folder = join(cacheFolder(), "blends");
  await makeFolder(folder);
  const file = join(folder, `${await contentKey(part, pairs, strength)}.safetensors`);
  return (await exists(file)) ? (await readSafetensors(file)).tensors : writeBlend(pairs, omega, file);
}

/** Version of how blends are rounded; part of the cache key. */
const form = 2;

/** A key of the part of the model (one file may hold them all), the source files, their sizes and times, and the strength. */
async function contentKey(part: string, pairs: ReadonlyMap<string, Pair>, strength: Share): Promise<string> {
  const hash = startHash();
  hash.update(`${form}|${part}|${typeof strength === "number" ? strength : JSON.stringify(strength)}`);
  for (const side of ["tuned", "pre"] as const) {
    for (const file of new Set([...pairs.values()].map((pair) => pair[side].source.name))) {
      hash.update(`|${file}|${await stampOf(file)}`);
    }
    hash.update("||");
  }
  return (await hash.digest()).slice(0, 32);
}
