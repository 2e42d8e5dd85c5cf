/** Runs an experiment: does what is missing of its units, in a folder that several processes may share. */
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { embedded, embeddedFolder, embeddedModel } from "../families/embedded.ts";
import { openModel } from "../families/open-model.ts";
import { encoderFolder } from "../metrics/encoder-folder.ts";
import { type ClipEncoder, openClip, openViT, type PictureEncoder } from "../metrics/encoders.ts";
import { tokenizerOf } from "../metrics/index.ts";
import type { Pace } from "../pace.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import { type DeviceName, type Engine, resolveDevice, startEngine } from "../runtime/index.ts";
import { conceptsOf } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { type Cell, type Identities, planOf } from "./plan.ts";
import { readDone } from "./store.ts";
import {
  type AdapterRecord,
  doAdapter,
  doPictures,
  drawClass,
  type Encoders,
  featuresOfUnit,
  type OnStep,
  type PictureRecord,
} from "./units.ts";
import { classPlace, isMeasured, unitsLeft } from "./units-left.ts";

/** Where and how an experiment is run. */
export interface RunOptions {
  /** Where units are kept; what is there already is not done again. */
  readonly folder: string;
  /** This process does every `of`-th concept, from number `part` (1 to `of`) on. */
  readonly shard?: { readonly part: number; readonly of: number } | undefined;
  /** What computes: `auto` by default, which takes a GPU where one works. */
  readonly device?: DeviceName | undefined;
  /** Threads of one operator; by default one for each core. */
  readonly threads?: number | undefined;
  /** Stops within a step by throwing the signal's reason; finished units stay. */
  readonly signal?: AbortSignal | undefined;
}

/** How far an experiment is. */
export interface RunProgress {
  /** Units done of all that this process is to see done. */
  readonly done: number;
  /** All of them. */
  readonly total: number;
  /** The same in steps, those of class pictures counted in. */
  readonly pace: Pace;
  /** What is running. */
  readonly doing: string;
  /** What of it exactly. */
  readonly detail: string;
}

/** Folders of the encoders that an experiment measures with; those of the hub are brought here. */
async function encodersOf({ encoders }: Experiment): Promise<{ clip: string; dino: string }> {
  const { clip, dino } = encoders ?? { clip: embedded("clip"), dino: embedded("vit") };
  return { clip: await encoderFolder(clip), dino: await encoderFolder(dino) };
}

/** The networks of an experiment. */
export async function identitiesOf(experiment: Experiment): Promise<Identities> {
  const { clip, dino } = await encodersOf(experiment);
  const model = experiment.model === embeddedModel ? embeddedFolder : experiment.model;
  return {
    // The embedded model's folder holds encoders too, which have no part in its pictures. A model's own defaults have: class
    // pictures are drawn with them.
    model: await modelIdentity(model, ["clip", "vit"]),
    encoders: [await modelIdentity(clip), await modelIdentity(dino), experiment.protocol],
  };
}

/** The plan of an experiment in a folder; embedded concepts' pictures are drawn. */
export async function openPlan(experiment: Experiment, identities: Identities, folder: string): Promise<Cell[]> {
  await makeFolder(folder);
  return planOf(experiment, await conceptsOf(experiment, join(folder, "references")), identities, folder);
}

/** Opens an experiment's encoders. */
export async function openEncoders(
  engine: Engine,
  experiment: Experiment,
): Promise<{ clip: ClipEncoder; dino: PictureEncoder }> {
  const { clip, dino } = await encodersOf(experiment);
  return {
    clip: await openClip(engine, clip, await tokenizerOf(clip), experiment.protocol),
    dino: await openViT(engine, dino, experiment.protocol),
  };
}

/**
 * Does every unit of `cells` that is not done, concept by concept. A unit that another process holds is left to it and
 * looked at again later, so that at the end all are done; one that fails does not keep the others from being done.
 *
 * @throws TillerError at the end if units of some concepts failed; what failed, if all did.
 */
export async function runCells(
  cells: readonly Cell[],
  experiment: Experiment,
  { shard, device, threads, signal }: RunOptions,
  onProgress: (progress: RunProgress) => void,
): Promise<void> {
  const mine = cells.filter((_, i) => !shard || i % shard.of === shard.part - 1);
  let pending: Cell[] = [];
  for (const cell of mine) if (!(await isDone(cell))) pending.push(cell);
  if (pending.length === 0) return;
  const todo = pending.length;
  const withClass = mine.some(({ adapter }) => adapter && adapter.classPictures > 0);
  const left = await unitsLeft(mine, {
    unitSteps: experiment.pictures * experiment.steps,
    classSteps: withClass ? (await openModel(experiment.model, { signal })).defaults.steps : 0,
  });
  const tell = (doing: string, detail: string) => onProgress({ ...left.units, pace: left.pace, doing, detail });
  const telling =
    (place: string): OnStep =>
    (done, doing, detail) => {
      left.at(place, done);
      tell(doing, detail);
    };

  const engine = await startEngine({ device: await resolveDevice(device ?? "auto"), threads });
  let pipeline: Pipeline | undefined;
  const doCell = async (cell: Cell, encoders: Encoders): Promise<"done" | "held"> => {
    const { adapter, concept, personalisation } = cell;
    if (adapter && !(await readDone(adapter.folder))) {
      // Training takes memory of its own.
      await pipeline?.close();
      pipeline = undefined;
      const options = { device, threads, signal };
      const drawn = await drawClass(adapter, concept, experiment.model, options, telling(classPlace(adapter)));
      if (drawn === "held") return "held";
      await left.finished(classPlace(adapter));
      if ((await doAdapter(adapter, concept, options, telling(adapter.folder))) === "held") return "held";
      await left.finished(adapter.folder);
    }
    const adapters = adapter
      ? (await readDone<AdapterRecord>(adapter.folder))!.adapters.map((file) => join(adapter.folder, file))
      : "adapters" in personalisation
        ? personalisation.adapters
        : [];
    const missing = await without(cell.units, isMeasured);
    if (missing.length === 0) return "done";
    pipeline ??= await Pipeline.load(experiment.model, { device, threads, signal, adapters });
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
          // Whatever failed, the next cell begins with networks that are whole.
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
  // What fails everywhere is one mistake, and says best itself what it is.
  if (first && failures.length === todo) throw first.error;
  if (first) {
    const names = failures.map(({ concept }) => concept).join(", ");
    const why = first.error instanceof Error ? first.error.message : String(first.error);
    throw new TillerError("experiment-incomplete", `all is done but what failed, of ${names}: ${why}`, {
      cause: first.error,
    });
  }
}

async function isDone({ adapter, units }: Cell): Promise<boolean> {
  if (adapter && !(await readDone(adapter.folder))) return false;
  for (const unit of units) if (!(await isMeasured(unit))) return false;
  return true;
}

/** Those of `all` that are not done. */
async function without<T>(all: readonly T[], isDone: (one: T) => Promise<boolean>): Promise<T[]> {
  const left: T[] = [];
  for (const one of all) if (!(await isDone(one))) left.push(one);
  return left;
}
