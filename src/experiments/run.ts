/** Runs the missing units of an experiment, in a folder that several processes may share. */
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { embeddedFolder, embeddedModel } from "../families/embedded.ts";
import { openModel } from "../families/open-model.ts";
import { largestNetwork } from "../families/parameters.ts";
import { type Encoders, encoderFolders, openEncoders as openIn } from "../metrics/open-encoders.ts";
import type { Pace } from "../pace.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import {
  type Compute,
  type DeviceName,
  type Engine,
  type PrecisionName,
  resolveCompute,
  startEngine,
} from "../runtime/index.ts";
import type { TrainOptions } from "../training/run/train.ts";
import { conceptsOf } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { adaptersOf, type Cell, type Identities, planOf } from "./plan.ts";
import { readDone } from "./store.ts";
import {
  type AdapterRecord,
  doAdapter,
  doPictures,
  drawClass,
  featuresOfUnit,
  type OnStep,
  type PictureRecord,
} from "./units.ts";
import { classPlace, isMeasured, unitsLeft } from "./units-left.ts";

/** Where and how an experiment is run. */
export interface RunOptions {
  /** Where units are kept; finished ones are not done again. */
  readonly folder: string;
  /**
   * This process does every `of`-th concept, starting with number `part` (1 to `of`); of concepts without training, every `of`-th of
   * their units.
   */
  readonly shard?: { readonly part: number; readonly of: number } | undefined;
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /** Number type of matrix products; by default the experiment's, else float32. */
  readonly precision?: PrecisionName | undefined;
  /** Called once with the device and number type, when they are known. */
  readonly onCompute?: ((compute: Compute) => void) | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** Aborts within a step, throwing the signal's reason; finished units stay. */
  readonly signal?: AbortSignal | undefined;
}

/** Progress of an experiment. */
export interface RunProgress {
  /** Units done, of those in this process's shard. */
  readonly done: number;
  /** All units of the shard. */
  readonly total: number;
  /** Progress in steps, including those of class images. */
  readonly pace: Pace;
  /** What is being done. */
  readonly doing: string;
  /** Which part of it. */
  readonly detail: string;
}

/** Hashes an experiment's networks. */
export async function identitiesOf(experiment: Experiment): Promise<Identities> {
  const folders = await encoderFolders(experiment.metrics, experiment.encoders ?? {});
  const encoders: string[] = [];
  for (const folder of folders.values()) encoders.push(await modelIdentity(folder));
  const named = (model: string) => (model === embeddedModel ? embeddedFolder : model);
  const { model, base } = experiment;
  return {
    // The embedded model's folder also holds encoders, which do not affect its pictures. Its tiller.json counts: class images
    // are drawn with its defaults.
    model: await modelIdentity(named(model), ["clip", "vit"]),
    ...(base !== undefined && { base: await modelIdentity(named(base), ["clip", "vit"]) }),
    encoders: [...encoders, experiment.protocol],
  };
}

/** The plan of an experiment in a folder; draws the embedded concepts' pictures. */
export async function openPlan(experiment: Experiment, identities: Identities, folder: string): Promise<Cell[]> {
  await makeFolder(folder);
  return planOf(experiment, await conceptsOf(experiment, join(folder, "references")), identities, folder);
}

/** The device and number type for an experiment's pictures on this machine. */
export async function computeOf(
  { model, base, precision }: Pick<Experiment, "model" | "base" | "precision">,
  { device, signal }: Pick<RunOptions, "device" | "signal">,
): Promise<Compute> {
  const parameters = precision === "auto" ? largestNetwork(await openModel(model, { base, signal })) : 0;
  return resolveCompute({ device, precision }, parameters);
}

/** The engine for scores: always float32, so that scores are comparable. */
export const measuringEngine = async ({ device, threads }: Pick<RunOptions, "device" | "threads">): Promise<Engine> =>
  startEngine({ ...(await resolveCompute({ device })), threads });

/** Opens an experiment's encoders. */
export async function openEncoders(engine: Engine, { metrics, encoders, protocol }: Experiment): Promise<Encoders> {
  return openIn(engine, metrics, await encoderFolders(metrics, encoders ?? {}), protocol);
}

/**
 * Does every unfinished unit of `cells`, concept by concept. A unit held by another process is left to it and checked again
 * later, so that at the end all are done; a unit that fails does not stop the others.
 *
 * @throws TillerError at the end if units of some concepts failed; if all failed, the first failure.
 */
export async function runCells(
  cells: readonly Cell[],
  experiment: Experiment,
  { shard, device, threads, signal }: RunOptions,
  compute: Compute,
  onProgress: (progress: RunProgress) => void,
): Promise<void> {
  const mine = shard ? shardOf(cells, shard) : cells;
  let pending: Cell[] = [];
  for (const cell of mine) if (!(await isDone(cell))) pending.push(cell);
  if (pending.length === 0) return;
  const todo = pending.length;
  const withClass = mine.some(({ adapter }) => adapter && adapter.classPictures > 0);
  const left = await unitsLeft(mine, {
    unitSteps: experiment.pictures * experiment.steps,
    classSteps: withClass ? (await openModel(experiment.model, { base: experiment.base, signal })).defaults.steps : 0,
  });
  const tell = (doing: string, detail: string) => onProgress({ ...left.units, pace: left.pace, doing, detail });
  const telling =
    (place: string): OnStep =>
    (done, doing, detail) => {
      left.at(place, done);
      tell(doing, detail);
    };

  const engine = await measuringEngine({ device, threads });
  const drawing = { ...compute, threads, signal };
  // int8 is only for drawing.
  const learning: TrainOptions = compute.precision === "int8" ? { ...drawing, precision: "float32" } : drawing;
  let pipeline: Pipeline | undefined;
  const doCell = async (cell: Cell, encoders: Encoders): Promise<"done" | "held"> => {
    const { adapter, concept, personalisation } = cell;
    if (adapter && !(await readDone(adapter.folder))) {
      // Free the memory for training.
      await pipeline?.close();
      pipeline = undefined;
      const drawn = await drawClass(adapter, concept, experiment.model, learning, telling(classPlace(adapter)));
      if (drawn === "held") return "held";
      await left.finished(classPlace(adapter));
      if ((await doAdapter(adapter, concept, learning, telling(adapter.folder))) === "held") return "held";
      await left.finished(adapter.folder);
    }
    const trained = adapter ? (await readDone<AdapterRecord>(adapter.folder))!.adapters : [];
    const adapters = [...trained.map((file) => join(adapter!.folder, file)), ...adaptersOf(personalisation, concept)];
    const missing = await without(cell.units, isMeasured);
    if (missing.length === 0) return "done";
    pipeline ??= await Pipeline.load(experiment.model, { ...drawing, base: experiment.base, adapters });
    await pipeline.setAdapters(adapters);
    let outcome: "done" | "held" = "done";
    for (const missed of missing) {
      signal?.throwIfAborted();
      const drawn = await doPictures(missed, concept, experiment, pipeline, signal, telling(missed.folder));
      const record = await readDone<PictureRecord>(missed.folder);
      if (record) await featuresOfUnit(missed, record, concept, experiment, encoders);
      if (drawn === "held") outcome = "held";
      else await left.finished(missed.folder);
    }
    return outcome;
  };

  const failures: { readonly concept: string; readonly error: unknown }[] = [];
  try {
    const encoders = await openEncoders(engine, experiment);
    while (pending.length > 0) {
      const held: Cell[] = [];
      for (const cell of pending) {
        signal?.throwIfAborted();
        try {
          if ((await doCell(cell, encoders)) === "held") held.push(cell);
        } catch (error) {
          signal?.throwIfAborted();
          failures.push({ concept: cell.concept.name, error });
          // After a failure the next cell starts with a fresh pipeline.
          await pipeline?.close();
          pipeline = undefined;
        }
      }
      pending = held;
      if (pending.length > 0) {
        tell("waiting for another process", "");
        await new Promise((done) => setTimeout(done, 1000));
      }
    }
  } finally {
    await pipeline?.close();
    await engine.close();
  }
  const [first] = failures;
  // If everything failed there is one cause: report it directly.
  if (first && failures.length === todo) throw first.error;
  if (first) {
    const names = failures.map(({ concept }) => concept).join(", ");
    const why = first.error instanceof Error ? first.error.message : String(first.error);
    throw new TillerError("experiment-incomplete", `everything is done except failed units of ${names}: ${why}`, {
      cause: first.error,
    });
  }
}

/** A process's share of the cells. What trains stays whole, so that no two machines train one adapter. */
export function shardOf(cells: readonly Cell[], { part, of }: NonNullable<RunOptions["shard"]>): Cell[] {
  const own = (i: number) => i % of === part - 1;
  return cells.flatMap((cell, i): Cell[] => {
    if (cell.adapter) return own(i) ? [cell] : [];
    const units = cell.units.filter((_, u) => own(i + u));
    return units.length > 0 ? [{ ...cell, units }] : [];
  });
}

async function isDone({ adapter, units }: Cell): Promise<boolean> {
  if (adapter && !(await readDone(adapter.folder))) return false;
  for (const unit of units) if (!(await isMeasured(unit))) return false;
  return true;
}

/** The elements of `all` that are not done. */
async function without<T>(all: readonly T[], isDone: (one: T) => Promise<boolean>): Promise<T[]> {
  const left: T[] = [];
  for (const one of all) if (!(await isDone(one))) left.push(one);
  return left;
}
