/** Pictures of the class, drawn by the model itself before it is trained: what prior preservation holds on to. */
import { basename, exists, join, makeFolder, remove } from "#bytes";
import { readText } from "../../bytes/json-file.ts";
import { writeWhole } from "../../bytes/write-whole.ts";
import { picturesIn } from "../../images/folder.ts";
import type { LoadOptions } from "../../pipelines/load.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";
import { encodePng } from "../../recipe/png.ts";
import { readRecipe } from "../../recipe/read-recipe.ts";

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
  readonly onStep: (done: number, of: number) => void;
}

/**
 * Makes the pictures that the folder lacks: `class-<n>.png`, each from a seed of its own, so that it does not matter when
 * it is made. Pictures of other names in the folder count too.
 *
 * @throws TillerError if the disk or the folder refuses, or the model fails.
 */
export async function makeClassPictures(model: string, options: ClassPictureOptions): Promise<void> {
  const { folder, count, prompt, resolution, seed, drawnAs, load, signal, onStep } = options;
  await makeFolder(folder);
  if (drawnAs) await removeOthers(folder, count, drawnAs);
  const present = new Set(await picturesIn(folder));
  const others = [...present].filter((name) => !drawn.test(name)).length;
  const missing: number[] = [];
  for (let i = 0; i < count - others; i++) if (!present.has(nameOf(i))) missing.push(i);
  if (missing.length === 0) return;

  const pipeline = await Pipeline.load(model, load);
  try {
    let done = 0;
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
          const inFlight = (event.step / event.steps) * event.batch;
          onStep(done + event.picture + inFlight, missing.length);
        }
        if (event.type === "picture") {
          await writeWhole(join(folder, nameOf(first + event.index)), await encodePng(event, event.recipe));
        }
      }
      done += length;
    }
  } finally {
    await pipeline.close();
  }
}

/** A sentence about the first of `files` that Tiller drew to show something else than `prompt`; undefined if there is none. */
export async function strangeClassPicture(files: readonly string[], prompt: string): Promise<string | undefined> {
  for (const file of files.filter((path) => drawn.test(basename(path)))) {
    // One that tells nothing of itself is a person's own.
    const recipe = await readRecipe(file).catch(() => undefined);
    const shown = recipe?.request.prompt ?? prompt;
    if (shown !== prompt) {
      return `${file} was drawn as "${shown}", but is to show "${prompt}": remove such pictures, or choose another folder`;
    }
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
