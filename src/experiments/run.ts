/** Brings an experiment to its end: its missing units as jobs, done by this process, by processes it forks, or by a fleet. */
import { fileURLToPath } from "node:url";
import { TillerError } from "../errors/index.ts";
import { openModel } from "../families/open-model.ts";
import {
  forkWorker,
  type JobStatus,
  type Jobs,
  openEmbedded,
  openJobs,
  openStore,
  queuesOf,
  reconcile,
  type Store,
} from "../jobs/index.ts";
import type { Pace } from "../pace.ts";
import type { Compute } from "../runtime/index.ts";
import type { Experiment } from "./experiment.ts";
import type { ForkedFleet } from "./forked-fleet.ts";
import type { ForkedUnits } from "./forked-units.ts";
import type { RunOptions } from "./networks.ts";
import type { Cell, Identities } from "./plan.ts";
import { ownModels, sharePlan } from "./shared-plan.ts";
import { keyOf } from "./store.ts";
import { type UnitJob, unitJobs } from "./unit-jobs.ts";
import { openUnitWorker } from "./unit-worker.ts";
import { unitsLeft } from "./units-left.ts";
import { besideStore, collect, inPlace } from "./workplace.ts";

/** Progress of an experiment. */
export interface RunProgress {
  /** Units done. */
  readonly done: number;
  /** All units. */
  readonly total: number;
  /** Progress in steps, including those of class images. */
  readonly pace: Pace;
  /** What is being done. */
  readonly doing: string;
  /** Which part of it. */
  readonly detail: string;
}

export interface RunParts {
  readonly experiment: Experiment;
  /** With the names that recipes have. */
  readonly named: Experiment;
  readonly identities: Identities;
  readonly cells: readonly Cell[];
  readonly compute: Compute;
}

/**
 * Does every unfinished unit of an experiment. A unit that fails does not stop those that do not need it.
 *
 * @throws TillerError at the end if units failed; if those of all cells did, the first failure.
 */
export async function runCells(
  parts: RunParts,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void,
): Promise<"done" | "detached"> {
  const { experiment, identities, cells } = parts;
  const { folder, workers = 1, fleet, signal } = options;
  const store = fleet && (await openStore(fleet.store ?? folder, { insecure: fleet.insecure ?? false }));
  const plan = store ? await sharePlan(parts, store) : `plan-${keyOf(experiment)}`;
  const workplace = store ? besideStore(store) : inPlace;
  const all = unitJobs(cells, { plan, model: identities.model }, workplace.isDone);
  const missing: UnitJob[] = [];
  for (const one of all) {
    if (!(await inPlace.isDone(one.work))) missing.push(one);
  }
  // Class images are only needed to train.
  const needed = missing.filter(
    ({ work, next }) => work.kind !== "class" || missing.some(({ job }) => next.some(({ id }) => id === job.id)),
  );
  if (needed.length === 0) return "done";
  const progress = await follow(parts, fleet ? 2 : workers, onProgress, signal);
  const jobs = fleet
    ? await openJobs(fleet.queue, { insecure: fleet.insecure, onWarning: (one) => process.emitWarning(one) })
    : openEmbedded({ attempts: workers > 1 ? 3 : 1 });
  const closing: (() => Promise<void>)[] = [() => jobs.close()];
  const unsubscribe = jobs.events(({ id, state, progress: steps }) => {
    const one = all.find(({ job }) => job.id === id);
    if (!one) return;
    if (steps) progress.at(one, steps.done, steps.what, steps.detail);
    if (state === "done") progress.finished(one);
  });
  try {
    if (store) {
      if (fleet?.detach) {
        const first = needed.filter(({ after }) => !needed.some(({ job }) => job.id === after));
        await jobs.ensure(first.map(({ job }) => job));
        return "detached";
      }
      closing.push(...workOnFleet(jobs, parts, options));
      progress.tell("waiting for a worker", "");
    } else closing.push(...work(jobs, all, parts, options));
    const collecting = store && collector(store);
    const ended = await reconcile(jobs, needed, {
      signal,
      onDone: ({ id }) => {
        const one = needed.find(({ job }) => job.id === id)!;
        progress.finished(one);
        collecting?.take(one);
      },
    });
    await collecting?.over();
    refuseIncomplete(ended.missing, needed);
    return "done";
  } finally {
    unsubscribe();
    for (const close of closing) await close();
  }
}

/** Starts this process's workers; returns what ends them. */
function work(
  jobs: Jobs,
  all: readonly UnitJob[],
  { experiment, named, identities, cells, compute }: RunParts,
  { folder, workers = 1, device, threads }: RunOptions,
): (() => Promise<void>)[] {
  const queues = [...new Set(all.map(({ job }) => job.queue))];
  const byId = new Map(all.map((one) => [one.job.id, one]));
  // One failure of a cell's drawings is enough: the others would most likely fail too.
  const unsubscribe = jobs.events(({ id, state }) => {
    const failed = state === "failed" ? byId.get(id) : undefined;
    if (failed?.work.kind !== "pictures" || workers > 1) return;
    void jobs.cancel(all.filter(({ cell }) => cell === failed.cell).map(({ job }) => job));
  });
  if (workers === 1) {
    const worker = openUnitWorker({ experiment, named, compute, workplace: inPlace, device, threads });
    jobs.work(queues, worker.handler(byId));
    return [() => worker.close(), async () => unsubscribe()];
  }
  const init: ForkedUnits = { experiment, named, identities, folder, compute, device, threads };
  return fork(jobs, queues, Math.min(workers, cells.length * 1000), scriptOf("forked-units"), init);
}

/** Starts this machine's workers of a fleet, if there are to be any; returns what ends them. */
function workOnFleet(
  jobs: Jobs,
  parts: RunParts,
  { folder, workers = 0, fleet, device, threads }: RunOptions,
): (() => Promise<void>)[] {
  const init: ForkedFleet = {
    store: fleet?.store ?? folder,
    insecure: fleet?.insecure ?? false,
    allowed: [...ownModels(parts)],
    device,
    threads,
  };
  return fork(jobs, queuesOf(["draw", "train"], [parts.identities.model]), workers, scriptOf("forked-fleet"), init);
}

const fork = (
  jobs: Jobs,
  queues: readonly string[],
  count: number,
  script: string,
  init: unknown,
): (() => Promise<void>)[] =>
  Array.from({ length: count }, () => {
    const forked = forkWorker(script, init);
    jobs.work(queues, forked.handler);
    return () => forked.close();
  });

/** The script of a forked worker; from the sources, that of the build, because Node 20 does not run TypeScript. */
const scriptOf = (name: "forked-units" | "forked-fleet"): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith(".ts") ? `../../dist/experiments/${name}.js` : `./${name}.js`, import.meta.url),
  );

/** Reports progress, whoever works. */
async function follow(
  { experiment, cells }: RunParts,
  workers: number,
  onProgress: (progress: RunProgress) => void,
  signal: AbortSignal | undefined,
) {
  const withClass = cells.some(({ adapter }) => adapter && adapter.classPictures > 0);
  const left = await unitsLeft(
    cells,
    {
      unitSteps: experiment.pictures * experiment.steps,
      classSteps: withClass ? (await openModel(experiment.model, { base: experiment.base, signal })).defaults.steps : 0,
    },
    workers,
  );
  const tell = (doing: string, detail: string) => onProgress({ ...left.units, pace: left.pace, doing, detail });
  return {
    tell,
    at({ place }: UnitJob, done: number, doing: string, detail: string) {
      left.at(place, done);
      tell(doing, detail);
    },
    finished: ({ place }: UnitJob) => left.finished(place),
  };
}

/** The most results that are fetched at once. */
const mostFetches = 4;

/** Fetches finished units into the experiment's folder while others are being done. */
function collector(store: Store) {
  const waiting: UnitJob[] = [];
  const fetching = new Set<Promise<void>>();
  let failure: unknown;
  const next = () => {
    while (fetching.size < mostFetches && waiting.length > 0) {
      const one = waiting.shift()!;
      const fetched: Promise<void> = collect(one.work, store)
        .catch((error) => {
          failure ??= error;
        })
        .finally(() => {
          fetching.delete(fetched);
          next();
        });
      fetching.add(fetched);
    }
  };
  return {
    take(one: UnitJob) {
      // Class images are of no use here.
      if (one.work.kind !== "class") waiting.push(one);
      next();
    },
    /** Resolves when all are there. */
    async over() {
      while (fetching.size > 0) await Promise.all(fetching);
      if (failure !== undefined) throw failure;
    },
  };
}

/** @throws TillerError if units are missing. */
function refuseIncomplete(missing: ReadonlyMap<string, JobStatus>, needed: readonly UnitJob[]): void {
  const failed = new Map<Cell, Error | undefined>();
  for (const { job, cell } of needed) {
    const status = missing.get(job.id);
    if (status) failed.set(cell, failed.get(cell) ?? status.error);
  }
  if (failed.size === 0) return;
  const first = [...failed.values()].find((error) => error !== undefined);
  if (!first)
    throw new TillerError("job-cancelled", "units of the experiment were cancelled; the same command does them.");
  // If everything failed there is one cause: report it directly.
  if (failed.size === new Set(needed.map(({ cell }) => cell)).size) throw first;
  const names = [...new Set([...failed.keys()].map(({ concept }) => concept.name))].join(", ");
  throw new TillerError(
    "experiment-incomplete",
    `everything is done except failed units of ${names}: ${first.message}`,
    {
      cause: first,
    },
  );
}
