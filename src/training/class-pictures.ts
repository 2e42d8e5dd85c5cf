/** Pictures of the class, drawn by the model itself before it is trained: what prior preservation holds on to. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { refusal } from "../files/refusal.ts";
import { encodePng, writePng } from "../pictures/png.ts";
import type { LoadOptions } from "../pipelines/load.ts";
import { Pipeline } from "../pipelines/pipeline.ts";
import { picturesIn } from "./pictures.ts";

export interface ClassPictureOptions {
  readonly folder: string;
  readonly count: number;
  readonly prompt: string;
  readonly resolution: number | undefined;
  readonly seed: number;
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
  const { folder, count, prompt, resolution, seed, load, signal, onStep } = options;
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw refusal(error, folder);
  });
  const present = new Set(await picturesIn(folder));
  const others = [...present].filter((name) => !/^class-\d+\.png$/.test(name)).length;
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
          await writePng(join(folder, nameOf(first + event.index)), await encodePng(event, event.recipe));
        }
      }
      done += length;
    }
  } finally {
    await pipeline.close();
  }
}

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
