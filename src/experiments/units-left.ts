/** An experiment's remaining units, whichever process does them, and how long they will take. */
import { exists, join } from "#bytes";
import { guide } from "../guidance/index.ts";
import { type Pace, paceOf, type Stage } from "../pace.ts";
import type { AdapterUnit, Cell, PictureUnit } from "./plan.ts";
import { isFinished } from "./store.ts";

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
  return isFinished(folder);
}

/**
 * @param picture Sampler steps of all of a unit's pictures, and of one class image.
 * @param workers How many processes work: of several, the time of a stage's steps is not known, only that of all steps.
 */
export async function unitsLeft(
  cells: readonly Cell[],
  picture: { readonly unitSteps: number; readonly classSteps: number },
  workers = 1,
): Promise<UnitsLeft> {
  const all = new Map(cells.flatMap((cell) => workOf(cell, picture)).map((work) => [work.place, work]));
  const left = new Map(all);
  const done = new Map([...all.values()].map(({ stage }) => [stage, 0]));
  const total = [...all.values()].filter(({ unit }) => unit).length;
  const finish = ({ place, stage, steps }: Work) => {
    if (left.delete(place)) done.set(stage, done.get(stage)! + steps);
    begun.delete(place);
  };
  const weights = new Map(cells.flatMap(weightsOf));
  const stages = [...done.keys()].map((stage) => {
    const steps = [...all.values()].reduce((sum, work) => sum + (work.stage === stage ? work.steps : 0), 0);
    return [stage, { steps, weight: weights.get(stage)! }] as const;
  });
  const follow = workers === 1 ? paceOf(Object.fromEntries(stages)) : paceOfMany(new Map(stages));
  /** Steps done of unfinished work. */
  const begun = new Map<string, number>();
  const stepsOf = (stage: string) =>
    [...begun].reduce(
      (sum, [place, steps]) => sum + (left.has(place) && all.get(place)!.stage === stage ? steps : 0),
      done.get(stage)!,
    );
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
      if (left.has(place)) begun.set(place, steps);
      pace = follow(stage, stepsOf(stage));
      return pace;
    },
    async finished(place) {
      const work = all.get(place);
      if (work) finish(work);
      if (performance.now() - looked > lookEvery) await look();
    },
  };
}

/** Progress of steps that several processes do at once. The time left follows from all work done since the beginning. */
function paceOfMany(stages: ReadonlyMap<string, Stage>): (stage: string, done: number) => Pace {
  const sum = (of: (stage: Stage, name: string) => number) =>
    [...stages].reduce((all, [name, one]) => all + of(one, name), 0);
  const done = new Map<string, number>();
  const follow = paceOf({ all: { steps: sum(({ steps, weight }) => steps * weight), weight: 1 } });
  return (stage, steps) => {
    done.set(stage, steps);
    const { secondsLeft } = follow(
      "all",
      sum(({ weight }, name) => weight * (done.get(name) ?? 0)),
    );
    return { done: sum((_, name) => done.get(name) ?? 0), total: sum((one) => one.steps), secondsLeft };
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
  const known = (place: string) => () => isFinished(place);
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
