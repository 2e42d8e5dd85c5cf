/** What an experiment still needs on this machine, said before anything of it is done: adapters, pictures, hours, bytes. */
import { kindOf } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { embeddedModel } from "../families/embedded.ts";
import { openModel } from "../families/open-model.ts";
import { parseHubName } from "../hub/id.ts";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import { encodePng } from "../recipe/png.ts";
import type { GivenExperiment } from "./experiment.ts";
import type { Forecast, RunOptions } from "./networks.ts";
import { type OpenExperiment, openExperiment } from "./open-plan.ts";
import { withPaths } from "./paths.ts";
import type { Cell, PictureUnit } from "./plan.ts";
import { isFinished } from "./store.ts";
import { isMeasured, rowsOf } from "./units-left.ts";

/** Seconds on this machine. */
export interface MeasuredPace {
  /** Of a row of a picture's step. */
  readonly drawing: number;
  /** Of a row of a training step. */
  readonly training: number;
  /** Steps of a class image. */
  readonly classSteps: number;
  /** Bytes of a picture. */
  readonly bytes: number;
}

/**
 * What the folder still lacks of an experiment.
 *
 * @throws TillerError `experiment-files-missing` naming every folder and file that the experiment names and that is not here.
 */
export async function forecastOf(given: GivenExperiment, options: RunOptions): Promise<Forecast> {
  await refuseMissing(given);
  return forecast(await openExperiment(given, options), options);
}

/** The same of an open experiment. */
export async function forecast({ experiment, cells, compute }: OpenExperiment, options: RunOptions): Promise<Forecast> {
  const none = { drawing: 0, training: 0, classSteps: 0, bytes: 0 };
  const nothing = await missingOf(cells, experiment, none, new Set());
  if (nothing.adapters + nothing.pictures === 0) return nothing;
  const unit = cells.flatMap(({ units }) => units)[0]!;
  return missingOf(
    cells,
    experiment,
    await measuredPace({ ...experiment, unit }, { ...options, ...compute }),
    new Set(),
  );
}

/** All at once: a run of days should not stop at the second of sixteen folders. */
export async function refuseMissing(given: GivenExperiment): Promise<void> {
  const named = new Set<string>();
  withPaths(given, (name, kind) => {
    const path = kind === "adapter" ? parseAdapter(name).file : name;
    const elsewhere = kind !== "file" && (path === embeddedModel || parseHubName(path) !== undefined);
    if (!elsewhere) named.add(path);
    return name;
  });
  const missing: string[] = [];
  for (const path of named) if ((await kindOf(path)) === undefined) missing.push(path);
  if (missing.length === 0) return;
  throw new TillerError(
    "experiment-files-missing",
    `The experiment ${given.name} names what is not here: ${missing.join(", ")}. Put it there, or correct the names in the file.`,
    { paths: missing },
  );
}

/** A row of a training step took 4.8 times a row of a drawing step where both were measured (results/omega: 0.249 s and 0.155 s). */
const trainingOverDrawing = 4.8;

/** What is drawn to measure the pace. */
interface Timed {
  readonly model: string;
  readonly base?: string | undefined;
  /** Its method and its picture are used if it edits one: an editing model draws nothing without. */
  readonly unit?: PictureUnit | undefined;
}

/** Draws a few steps of a batch of the model's usual size. */
export async function measuredPace(
  { model, base, unit }: Timed,
  { device, precision, threads, signal }: RunOptions,
): Promise<MeasuredPace> {
  const { defaults, denoiser, latents } = await openModel(model, { base, signal });
  const { width, height, sampler } = defaults;
  const side = latents.pixelsPerLatent;
  const count = Math.min(16, Math.max(1, denoiser.picturesAtOnce(rows, height / side, width / side)));
  const pipeline = await Pipeline.load(model, { base, device, precision, threads, signal });
  try {
    const image = unit?.prompt.image;
    const arm = unit && image !== undefined ? unit.arm : { guidance: "cfg" as const, scale: 2 };
    const request = {
      prompt: "a dog",
      ...arm,
      ...(image !== undefined && { image, strength: 1 }),
      seed: 0,
      count,
      steps: timedSteps + 1,
      sampler,
    };
    let [first, last, bytes] = [0, 0, 0];
    for await (const event of pipeline.generate(request, { signal })) {
      // The first step builds the network.
      if (event.type === "step") [first, last] = event.step === 1 ? [performance.now(), 0] : [first, performance.now()];
      if (event.type === "picture") bytes = (await encodePng(event)).length;
    }
    const drawing = (last - first) / 1000 / (timedSteps * rowsOf(arm) * count);
    return { drawing, training: trainingOverDrawing * drawing, classSteps: defaults.steps, bytes };
  } finally {
    await pipeline.close();
  }
}

const rows = 2;
const timedSteps = 3;

/** Adds to `trained` the adapters it counts, so that experiments with the same ones count them once. */
export async function missingOf(
  cells: readonly Cell[],
  { pictures, steps }: { readonly pictures: number; readonly steps: number },
  pace: MeasuredPace,
  trained: Set<string>,
): Promise<Forecast> {
  let [adapters, classPictures, drawn, seconds] = [0, 0, 0, 0];
  const classes = new Set<string>();
  for (const { adapter, units } of cells) {
    if (adapter && !trained.has(adapter.key) && !(await isFinished(adapter.folder))) {
      adapters++;
      seconds += adapter.steps * adapter.rows * pace.training;
      if (!classes.has(adapter.classFolder)) classPictures += adapter.classPictures;
      classes.add(adapter.classFolder);
    }
    if (adapter) trained.add(adapter.key);
    for (const unit of units) {
      if (await isMeasured(unit)) continue;
      drawn += pictures;
      seconds += pictures * steps * rowsOf(unit.arm) * pace.drawing;
    }
  }
  seconds += classPictures * pace.classSteps * rows * pace.drawing;
  return { adapters, classPictures, pictures: drawn, seconds, bytes: (drawn + classPictures) * pace.bytes };
}
