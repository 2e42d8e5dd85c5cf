/** An experiment's units as jobs: class images, then the adapters trained with them, then the pictures drawn with those. */
import { basename } from "node:path";
import { type JobSpec, type Planned, queueOf } from "../jobs/index.ts";
import type { AdapterUnit, Cell, PictureUnit } from "./plan.ts";
import { keyOf } from "./store.ts";
import { classPlace } from "./units-left.ts";

/** What a job does. */
export type UnitWork =
  | { readonly kind: "class"; readonly adapter: AdapterUnit }
  | { readonly kind: "adapter"; readonly adapter: AdapterUnit }
  | { readonly kind: "pictures"; readonly unit: PictureUnit };

export interface UnitJob extends Planned {
  readonly cell: Cell;
  readonly work: UnitWork;
  /** What {@link unitsLeft} calls the work. */
  readonly place: string;
  /** Jobs that need this one's result. */
  readonly next: readonly JobSpec[];
}

/** The keys of results in a store. */
export const classKey = ({ classFolder }: AdapterUnit): string => `class-${basename(classFolder)}`;
export const adapterKey = ({ key }: AdapterUnit): string => `adapters-${key}`;
export const picturesKey = ({ folder }: PictureUnit): string => `pictures-${basename(folder)}`;
/** The pictures' features by all encoders of the experiment. */
export const featuresKey = ({ folder, features }: PictureUnit): string =>
  `features-${keyOf([basename(folder), ...Object.values(features).map((file) => basename(file))])}`;
/** The state of unfinished training. */
export const checkpointKey = ({ key }: AdapterUnit): string => `checkpoint-${key}`;

/**
 * The jobs of an experiment. Those of the same cell have the same priority, so that pictures are drawn before the next cell's
 * adapter is trained.
 *
 * @param plan The key of the experiment's description in the store, from which a worker makes the same jobs.
 * @param model The hash of the model.
 */
export function unitJobs(
  cells: readonly Cell[],
  { plan, model }: { readonly plan: string; readonly model: string },
  isDone: (work: UnitWork) => Promise<boolean>,
): UnitJob[] {
  const jobs = new Map<string, UnitJob>();
  const spec = (id: string, kind: "train" | "draw", cell: number): JobSpec => ({
    ...{ id, kind, priority: cell + 1 },
    queue: queueOf(kind, model),
    data: { plan },
  });
  // The adapters of a class, by its key.
  const ofClass = new Map<string, JobSpec[]>();
  const add = (job: JobSpec, rest: Omit<UnitJob, "job" | "isDone">) => {
    if (!jobs.has(job.id)) jobs.set(job.id, { job, ...rest, isDone: () => isDone(rest.work) });
  };
  for (const [i, cell] of cells.entries()) {
    const { adapter, units } = cell;
    const drawing = units.map((unit) => spec(featuresKey(unit), "draw", i));
    if (adapter) {
      const training = spec(adapterKey(adapter), "train", i);
      const withClass = adapter.classPictures > 0;
      if (withClass) {
        const id = classKey(adapter);
        const others = ofClass.get(id) ?? [];
        ofClass.set(id, others);
        others.push(training);
        add(spec(id, "train", i), { cell, work: { kind: "class", adapter }, place: classPlace(adapter), next: others });
      }
      const after = withClass ? classKey(adapter) : undefined;
      add(training, { cell, work: { kind: "adapter", adapter }, place: adapter.folder, next: drawing, after });
    }
    for (const [j, unit] of units.entries()) {
      const after = adapter && adapterKey(adapter);
      add(drawing[j]!, { cell, work: { kind: "pictures", unit }, place: unit.folder, next: [], after });
    }
  }
  return [...jobs.values()];
}
