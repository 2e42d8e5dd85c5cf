/** An experiment's remaining units, whichever process does them, and how long they will take. */
import { exists, join } from "#bytes";
import { guide } from "../guidance/index.ts";
import { type Pace, paceOf } from "../pace.ts";
import type { AdapterUnit, Cell, PictureUnit } from "./plan.ts";
import { readDone } from "./store.ts";

/** A unit, or the pictures of a class, which are not a unit. */
interface Work {
  /** Its folder, which identifies it. */
  readonly place: string;
  /** Steps of one stage take equally long. */
  readonly stage: string;
  readonly steps: number;
  readonly unit: boolean;
  readonly isDone: () => Promise<boolean>;
}

export interface UnitsLeft {
  /** Units done, and all units. */
  readonly units: { readonly done: number; readonly total: number };
  /** Progress when so many steps of the work at a place are done. */
  at(place: string, done: number): Pace;
  /** The last progress. */
  readonly pace: Pace;
  /** Marks the work at a place as finished; now and then checks what other processes have finished. */
  finished(place: string): Promise<void>;
}

/** Milliseconds between checks of what other processes have finished. */
const lookEvery = 60_000;

/** A gradient costs twice as much as the evaluation, three evaluations in all. */
const evaluationsOfGradient = 3;

/** The place of the class images of an adapter. */
export const classPlace = ({ classFolder }: AdapterUnit): string => join(classFolder, ".drawn");

export async function isMeasured({ folder, features }: PictureUnit): Promise<boolean> {
  for (const file of Object.values(features)) if (!(await exists(file))) return false;
  return (await readDone(folder)) !== undefined;
}

/**
 * @param picture Sampler steps of all of a unit's pictures, and of one class image.
 */
export async function unitsLeft(
  cells: readonly Cell[],
  picture: { readonly unitSteps: number; readonly classSteps: number },
): Promise<UnitsLeft> {
  const all = new Map(cells.flatMap((cell) => workOf(cell, picture)).map((work) => [work.place, work]));
  const left = new Map(all);
  const done = new Map([...all.values()].map(({ stage }) => [stage, 0]));
  const total = [...all.values()].filter(({ unit }) => unit).length;
  const finish = ({ place, stage, steps }: Work) => {
    if (left.delete(place)) done.set(stage, done.get(stage)! + steps);
  };
  const weights = new Map(cells.flatMap(weightsOf));
  const stages = [...done.keys()].map((stage) => {
    const steps = [...all.values()].reduce((sum, work) => sum + (work.stage === stage ? work.steps : 0), 0);
    return [stage, { steps, weight: weights.get(stage)! }] as const;
  });
  const follow = paceOf(Object.fromEntries(stages));
  let pace: Pace = { done: 0, total: 0 };
  let looked = 0;
  const look = async () => {
    looked = performance.now();
    for (const work of [...left.values()]) if (await work.isDone()) finish(work);
    for (const [stage, steps] of done) pace = follow(stage, steps);
  };
  await look();
  return {
    get units() {
      return { done: total - [...left.values()].filter(({ unit }) => unit).length, total };
    },
    get pace() {
      return pace;
    },
    at(place, steps) {
      const { stage } = all.get(place)!;
      pace = follow(stage, done.get(stage)! + (left.has(place) ? steps : 0));
      return pace;
    },
    async finished(place) {
      const work = all.get(place);
      if (work) finish(work);
      if (performance.now() - looked > lookEvery) await look();
    },
  };
}

/** Methods with the same number of rows are one stage. */
const stageOf = ({ arm }: PictureUnit): string => `${rowsOf(arm)} rows`;
/** Rows evaluated per step. */
export const rowsOf = ({ guidance, ...settings }: PictureUnit["arm"]): number => guide(guidance, settings).rows.length;

function workOf(
  { adapter, units }: Cell,
  { unitSteps, classSteps }: { readonly unitSteps: number; readonly classSteps: number },
): Work[] {
  const works = units.map((one): Work => {
    const isDone = () => isMeasured(one);
    return { place: one.folder, stage: stageOf(one), steps: unitSteps, unit: true, isDone };
  });
  if (!adapter) return works;
  const { folder, steps, classPictures } = adapter;
  const known = (place: string) => async () => (await readDone(place)) !== undefined;
  works.push({ place: folder, stage: "training", steps, unit: true, isDone: known(folder) });
  if (classPictures === 0) return works;
  const place = classPlace(adapter);
  return [{ place, stage: "class", steps: classPictures * classSteps, unit: false, isDone: known(place) }, ...works];
}

/** Rows evaluated per step of each of a cell's stages. */
function weightsOf({ adapter, units }: Cell): [string, number][] {
  const drawing = units.map((one): [string, number] => [stageOf(one), rowsOf(one.arm)]);
  return adapter ? [...drawing, ["class", 2], ["training", adapter.rows * evaluationsOfGradient]] : drawing;
}
