/** Class images for prior preservation, drawn by the model itself before training. */
import { basename, exists, join, makeFolder, remove } from "#bytes";
import { readText } from "../../bytes/json-file.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import { picturesIn } from "../../images/folder.ts";
import type { LoadOptions } from "../../pipelines/load.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";
import { encodePng } from "../../recipe/png.ts";
import type { SamplerName } from "../../recipe/request.ts";
import type { Share } from "../progress.ts";
import type { KeptPictures } from "./kept-pictures.ts";
import type { TrainingPicture } from "./pictures.ts";

export interface ClassPictureOptions {
  readonly folder: string;
  readonly count: number;
  readonly prompt: string;
  readonly resolution: number | undefined;
  readonly seed: number;
  /** Sampler and steps; the model's defaults if undefined. */
  readonly drawing?: ClassDrawing | undefined;
  /** Pictures of earlier runs; those with the requested seeds are reused. */
  readonly kept?: KeptPictures | undefined;
  /** What affects the pictures: those drawn with other values are redrawn. If undefined, all existing ones stay. */
  readonly drawnAs?: Readonly<Record<string, unknown>> | undefined;
  readonly load: LoadOptions;
  readonly signal?: AbortSignal | undefined;
}

export interface ClassDrawing {
  readonly sampler: SamplerName;
  readonly steps: number;
}

/** For a run's own class images: fine detail does not matter, and drawing them takes longer than training. */
export const quickDrawing: ClassDrawing = { sampler: "dpm++", steps: 20 };

/** How many pictures are drawn, and how long that will take. */
export interface ClassPicturesPlan {
  /** Pictures to draw. */
  readonly count: number;
  /** Pictures reused from earlier runs. */
  readonly reused: number;
  /** Steps per picture. */
  readonly steps: number;
  /** Seconds for all steps, once a step has been timed. */
  readonly seconds?: number | undefined;
}

/** Steps done, and which pictures are being drawn: "pictures 1 to 4 of 16". */
export interface ClassPicturesDone extends Share {
  readonly which: string;
  /** Before the first step, and again as soon as the time is known. */
  readonly plan?: ClassPicturesPlan | undefined;
}

/**
 * Draws the pictures that the folder lacks: `class-<n>.png`, each from its own seed, so that it does not matter when it is drawn.
 * Pictures with other names in the folder count too. Yields the progress before the first step and after each.
 *
 * @throws TillerError if the folder cannot be written or the model fails.
 */
export async function* makeClassPictures(
  model: string,
  options: ClassPictureOptions,
): AsyncGenerator<ClassPicturesDone, void, undefined> {
  const { folder, count, prompt, resolution, seed, drawing, kept, drawnAs, load, signal } = options;
  await makeFolder(folder);
  if (drawnAs) await removeOthers(folder, count, drawnAs);
  const present = new Set(await picturesIn(folder));
  const others = [...present].filter((name) => !drawn.test(name)).length;
  const missing: number[] = [];
  let reused = 0;
  for (let i = 0; i < count - others; i++) {
    if (present.has(nameOf(i))) continue;
    const before = await kept?.read(seed + i);
    if (before) {
      await writeWhole(join(folder, nameOf(i)), before);
      reused++;
    } else {
      missing.push(i);
    }
  }
  if (missing.length === 0) {
    if (reused > 0) yield { done: 0, of: 0, which: "pictures", plan: { count: 0, reused, steps: 0 } };
    return;
  }

  const pipeline = await Pipeline.load(model, load);
  const { steps } = drawing ?? pipeline.defaults;
  const [pictures, of] = [missing.length, missing.length * steps];
  const plan = { count: pictures, reused, steps };
  try {
    yield { done: 0, of, which: "pictures", plan };
    let before = 0;
    // The first step includes building and warming up, so the second is timed.
    let timed: number | undefined;
    // Consecutive missing numbers are one request; usually there is only one.
    for (const [first, length] of runsOf(missing)) {
      const request = {
        prompt,
        seed: seed + first,
        count: length,
        ...drawing,
        ...(resolution !== undefined && { width: resolution, height: resolution }),
      };
      for await (const event of pipeline.generate(request, { signal })) {
        if (event.type === "step") {
          const first = before + event.picture;
          const through = event.batch === 1 ? "" : ` to ${first + event.batch}`;
          const which = `${event.batch === 1 ? "picture" : "pictures"} ${first + 1}${through} of ${pictures}`;
          const done = { done: first * steps + event.step * event.batch, of, which };
          const now = performance.now();
          const second = first === 0 && event.step === 2;
          const seconds = second ? (((now - timed!) / 1000) * of) / event.batch : undefined;
          yield seconds === undefined ? done : { ...done, plan: { ...plan, seconds } };
          timed = now;
        }
        if (event.type === "picture") {
          const png = await encodePng(event, event.recipe);
          await writeWhole(join(folder, nameOf(first + event.index)), png);
          await kept?.keep(event.seed, png);
        }
      }
      before += length;
    }
  } finally {
    await pipeline.close();
  }
}

/** A warning about the first class image that Tiller drew with a prompt other than `prompt`; undefined if there is none. */
export function strangeClassPicture(pictures: readonly TrainingPicture[], prompt: string): string | undefined {
  for (const { file, caption, drawnAs = prompt } of pictures) {
    if (caption !== undefined || drawnAs === prompt || !drawn.test(basename(file))) continue;
    return `${file} was drawn with the prompt "${drawnAs}" instead of "${prompt}": remove such pictures, or choose another folder`;
  }
  return undefined;
}

/** Removes pictures drawn with settings other than `drawnAs`, or beyond `count`. */
async function removeOthers(
  folder: string,
  count: number,
  drawnAs: NonNullable<ClassPictureOptions["drawnAs"]>,
): Promise<void> {
  const note = join(folder, ".drawn-as.json");
  const before = (await exists(note)) ? await readText(note, 1 << 20) : undefined;
  const now = JSON.stringify(drawnAs);
  for (const name of await picturesIn(folder)) {
    const index = drawn.exec(name)?.[1];
    if (index === undefined || (before === now && Number(index) < count)) continue;
    await remove(join(folder, name));
  }
  if (before !== now) await writeWhole(note, now);
}

const drawn = /^class-(\d+)\.png$/;
const nameOf = (index: number): string => `class-${String(index).padStart(4, "0")}.png`;

/** Consecutive numbers as [first, length]. */
function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === n) last[1]++;
    else runs.push([n, 1]);
  }
  return runs;
}
