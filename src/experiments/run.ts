/** Runs an experiment: does what is missing of its units, in a folder that several processes may share. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { embedded, embeddedFolder, embeddedModel } from "../families/embedded.ts";
import { encoderFolder } from "../metrics/encoder-folder.ts";
import { type ClipEncoder, openClip, openViT, type PictureEncoder } from "../metrics/encoders.ts";
import { tokenizerOf } from "../metrics/index.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import { type DeviceName, type Engine, resolveDevice, startEngine } from "../runtime/index.ts";
import { conceptsOf } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { type Cell, type Identities, type PictureUnit, planOf } from "./plan.ts";
import { readDone } from "./store.ts";
import {
  type AdapterRecord,
  doAdapter,
  doPictures,
  type Encoders,
  featuresOfUnit,
  type OnStep,
  type PictureRecord,
} from "./units.ts";

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
  /** What is running. */
  readonly doing: string;
  /** What of it exactly. */
  readonly detail: string;
  /** How much of that unit is done, 0 to 1. */
  readonly share: number;
  /** Of this unit; absent until there is something to tell it by. */
  readonly unitSecondsLeft?: number | undefined;
  /** Of all; absent until there is something to tell it by. */
  readonly secondsLeft?: number | undefined;
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
    // The embedded model's folder holds encoders too, which have no part in its pictures; nor have a model's own defaults,
    // for an experiment's file says what its pictures are drawn with.
    model: await modelIdentity(model, ["clip", "vit", "tiller.json"]),
    encoders: [await modelIdentity(clip), await modelIdentity(dino), experiment.protocol],
  };
}

/** The plan of an experiment in a folder; embedded concepts' pictures are drawn. */
export async function openPlan(experiment: Experiment, identities: Identities, folder: string): Promise<Cell[]> {
  await mkdir(folder, { recursive: true });
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
  const left = await timeLeft(mine);
  let unit = { doing: "", began: 0 };
  const tell: OnStep = (doing, detail, share) => {
    if (doing !== unit.doing || share <= 0) unit = { doing, began: performance.now() };
    const unitSecondsLeft = share > 0 ? (((performance.now() - unit.began) / 1000) * (1 - share)) / share : undefined;
    onProgress({ ...left.state(), doing, detail, share, unitSecondsLeft });
  };
  let pending: Cell[] = [];
  for (const cell of mine) if (!(await isDone(cell))) pending.push(cell);
  if (pending.length === 0) return;
  const todo = pending.length;

  const engine = await startEngine({ device: await resolveDevice(device ?? "auto"), threads });
  let pipeline: Pipeline | undefined;
  const doCell = async (cell: Cell, encoders: Encoders): Promise<"done" | "held"> => {
    const { adapter, concept, personalisation } = cell;
    if (adapter && !(await readDone(adapter.folder))) {
      // Training takes memory of its own.
      await pipeline?.close();
      pipeline = undefined;
      const learned = await left.during("adapter", () =>
        doAdapter(adapter, concept, experiment.model, { device, threads, signal }, tell),
      );
      if (learned === "held") return "held";
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
      const drawn = await left.during("pictures", async () => {
        const drawing = await doPictures(missed, concept, experiment, pipeline!, signal, tell);
        const record = await readDone<PictureRecord>(missed.folder);
        if (record) await featuresOfUnit(missed, record, concept, experiment, encoders);
        return drawing;
      });
      if (drawn === "held") outcome = "held";
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
        tell("waiting for another process", "", 0);
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

const isMeasured = async ({ folder, features }: PictureUnit): Promise<boolean> =>
  (await exists(features)) && (await readDone(folder)) !== undefined;

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

/** How far apart looks at what other processes have done are, in milliseconds. */
const lookEvery = 60_000;

/** Counts units done, by whomever, and what each kind takes. */
async function timeLeft(cells: readonly Cell[]) {
  const kinds = {
    adapter: { begun: 0, left: 0, done: 0, seconds: 0 },
    pictures: { begun: 0, left: 0, done: 0, seconds: 0 },
  };
  let adapters = cells.flatMap(({ adapter }) => adapter ?? []);
  let units = cells.flatMap((cell) => cell.units);
  const total = adapters.length + units.length;
  let looked = 0;
  const look = async () => {
    looked = performance.now();
    adapters = await without(adapters, async ({ folder }) => (await readDone(folder)) !== undefined);
    units = await without(units, isMeasured);
    [kinds.adapter.left, kinds.pictures.left] = [adapters.length, units.length];
  };
  await look();
  for (const kind of Object.values(kinds)) kind.begun = kind.left;
  return {
    async during(kind: keyof typeof kinds, work: () => Promise<"done" | "held">): Promise<"done" | "held"> {
      const began = performance.now();
      const outcome = await work();
      const seconds = (performance.now() - began) / 1000;
      if (outcome === "done") {
        kinds[kind].left--;
        kinds[kind].done++;
        kinds[kind].seconds += seconds;
      }
      if (performance.now() - looked > lookEvery) await look();
      return outcome;
    },
    state() {
      const all = Object.values(kinds);
      const known = all.every(({ left, done }) => left === 0 || done > 0);
      // Alone this process would need so long; the others' share of what has been done they will have of the rest.
      const alone = all.reduce((sum, { left, done, seconds }) => sum + (left * seconds) / Math.max(1, done), 0);
      const mine = all.reduce((sum, { done }) => sum + done, 0);
      const done = all.reduce((sum, { begun, left }) => sum + begun - left, 0);
      return {
        done: total - kinds.adapter.left - kinds.pictures.left,
        total,
        secondsLeft: known ? alone * (mine / Math.max(1, mine, done)) : undefined,
      };
    },
  };
}
