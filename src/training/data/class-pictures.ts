/** Pictures of the class, drawn by the model itself before it is trained: what prior preservation holds on to. */
import { basename, exists, join, makeFolder, remove } from "#bytes";
import { readText } from "../../bytes/json-file.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import { picturesIn } from "../../images/folder.ts";
import type { LoadOptions } from "../../pipelines/load.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";
import { encodePng } from "../../recipe/png.ts";
import type { Share } from "../progress.ts";
import type { TrainingPicture } from "./pictures.ts";

export interface ClassPictureOptions {
  readonly folder: string;
  readonly count: number;
  readonly prompt: string;
  readonly resolution: number | undefined;
  readonly seed: number;
  /** All that decides how the pictures look, if those drawn otherwise are to be drawn anew; else every picture there stays. */
  readonly drawnAs?: Readonly<Record<string, unknown>> | undefined;
  readonly load: LoadOptions;
  readonly signal?: AbortSignal | undefined;
}

/** Steps of pictures done of those that are drawn, and which pictures these are: "pictures 1 to 4 of 16". */
export interface ClassPicturesDone extends Share {
  readonly which: string;
}

/**
 * Makes the pictures that the folder lacks: `class-<n>.png`, each from a seed of its own, so that it does not matter when
 * it is made. Pictures of other names in the folder count too. Yields how far it has come, before the first step and after
 * every one.
 *
 * @throws TillerError if the disk or the folder refuses, or the model fails.
 */
export async function* makeClassPictures(
  model: string,
  options: ClassPictureOptions,
): AsyncGenerator<ClassPicturesDone, void, undefined> {
  const { folder, count, prompt, resolution, seed, drawnAs, load, signal } = options;
  await makeFolder(folder);
  if (drawnAs) await removeOthers(folder, count, drawnAs);
  const present = new Set(await picturesIn(folder));
  const others = [...present].filter((name) => !drawn.test(name)).length;
  const missing: number[] = [];
  for (let i = 0; i < count - others; i++) if (!present.has(nameOf(i))) missing.push(i);
  if (missing.length === 0) return;

  const pipeline = await Pipeline.load(model, load);
  const { steps } = pipeline.defaults;
  const [pictures, of] = [missing.length, missing.length * steps];
  try {
    yield { done: 0, of, which: "pictures" };
    let before = 0;
    // A run of missing numbers is one request; usually there is one.
    for (const [first, length] of runsOf(missing)) {
      const request = {
        prompt,
        seed: seed + first,
        count: length,
        ...(resolution !== undefined && { width: resolution, height: resolution }),
      };
      for await (const event of pipeline.generate(request, { signal })) {
        if (event.type === "step") {
          const first = before + event.picture;
          const through = event.batch === 1 ? "" : ` to ${first + event.batch}`;
          const which = `${event.batch === 1 ? "picture" : "pictures"} ${first + 1}${through} of ${pictures}`;
          yield { done: first * steps + event.step * event.batch, of, which };
        }
        if (event.type === "picture") {
          await writeWhole(join(folder, nameOf(first + event.index)), await encodePng(event, event.recipe));
        }
      }
      before += length;
    }
  } finally {
    await pipeline.close();
  }
}

/** A sentence about the first class picture that Tiller drew to show something else than `prompt`; undefined if there is none. */
export function strangeClassPicture(pictures: readonly TrainingPicture[], prompt: string): string | undefined {
  for (const { file, caption, drawnAs = prompt } of pictures) {
    if (caption !== undefined || drawnAs === prompt || !drawn.test(basename(file))) continue;
    return `${file} was drawn as "${drawnAs}", but is to show "${prompt}": remove such pictures, or choose another folder`;
  }
  return undefined;
}

/** Removes pictures that were drawn otherwise than `drawnAs`, or beyond `count`. */
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
