/** What is left of an experiment's units, by whomever they are done, and how long that will take. */
import { exists, join } from "#bytes";
import { guide } from "../guidance/index.ts";
import { type Pace, paceOf } from "../pace.ts";
import type { AdapterUnit, Cell, PictureUnit } from "./plan.ts";
import { readDone } from "./store.ts";

/** A unit, or the pictures of a class, which are no unit of their own. */
interface Work {
  /** Where it is done: no other has the same. */
  readonly place: string;
  /** Steps of one stage take equally long. */
  readonly stage: string;
  readonly steps: number;
  readonly unit: boolean;
  readonly isDone: () => Promise<boolean>;
}

export interface UnitsLeft {
  /** Units done of all. */
  readonly units: { readonly done: number; readonly total: number };
  /** So many steps of what is done at a place are. */
  at(place: string, done: number): Pace;
  /** How far it was when that was last told. */
  readonly pace: Pace;
  /** All that is done at a place is; now and then it is looked what others have done. */
  finished(place: string): Promise<void>;
}

/** How far apart looks at what other processes have done are, in milliseconds. */
const lookEvery = 60_000;

/** A gradient costs twice what its evaluation does. */
const evaluationsOfGradient = 3;

/** Where the pictures of an adapter's class are drawn. */
export const classPlace = ({ classFolder }: AdapterUnit): string => join(classFolder, ".drawn");

export const isMeasured = async ({ folder, features }: PictureUnit): Promise<boolean> =>
  (await exists(features)) && (await readDone(folder)) !== undefined;

/**
 * @param picture Steps of a unit's pictures together, and of a class picture.
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

/** Methods of as many rows are one stage. */
const stageOf = ({ arm }: PictureUnit): string => `${rowsOf(arm)} rows`;
const rowsOf = ({ guidance, ...settings }: PictureUnit["arm"]): number => guide(guidance, settings).rows.length;

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

/** What a step of each of a cell's stages evaluates, in rows. */
function weightsOf({ adapter, units }: Cell): [string, number][] {
  const drawing = units.map((one): [string, number] => [stageOf(one), rowsOf(one.arm)]);
  return adapter ? [...drawing, ["class", 2], ["training", adapter.rows * evaluationsOfGradient]] : drawing;
}
