/** Runs one request and writes its pictures as they are finished. */

import { join } from "node:path";
import { encodePng, type FullRequest, type Pace, type Pixels, type Recipe } from "../index.ts";
import { namingSettings, paceOf, type SettingName, writeNew } from "../internal.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import type { LoadedPipeline, World } from "./world.ts";

export interface MadePicture {
  readonly file: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  /** Wall time: its share of its batch's steps, plus its own decoding. */
  readonly seconds: number;
  readonly recipe: Recipe;
}

export interface MakeOptions {
  readonly folder: string;
  /** Additional settings to include in file names. */
  readonly naming?: readonly (SettingName | "steps" | "sampler" | "strength")[];
  /** Steps between previews, which are written to the subfolder `previews`. */
  readonly previewEvery?: number | undefined;
  /** Steps of earlier requests, and the progress of all requests. */
  readonly steps: { readonly before: number; readonly pace: (done: number) => Pace };
  /** Pictures of earlier requests, and of all requests. */
  readonly pictures: { readonly before: number; readonly total: number };
  onPicture(made: MadePicture, picture: Pixels, index: number): Promise<void> | void;
}

/** The progress of drawing with so many steps in all. */
export function drawingPace(steps: number): (done: number) => Pace {
  const at = paceOf({ drawing: { steps, weight: 1 } });
  return (done) => at("drawing", done);
}

/**
 * @throws The signal's reason once aborted; finished pictures stay.
 */
export async function makePictures(
  pipeline: LoadedPipeline,
  request: FullRequest,
  options: MakeOptions,
  { signal }: World,
  output: Output,
): Promise<void> {
  const { folder, previewEvery, steps, pictures } = options;
  const previewFolder = join(folder, "previews");
  if (previewEvery !== undefined) await prepareFolder(previewFolder);
  let batch = { first: -1, length: 1, share: 0 };
  /** When the last step of a batch or the previous picture was done. */
  let last = performance.now();
  for await (const event of pipeline.generate(request, { signal })) {
    if (event.type === "warning") {
      output.warn(event.message);
    } else if (event.type === "step") {
      if (event.picture !== batch.first) batch = { first: event.picture, length: event.batch, share: 0 };
      const done = steps.before + event.picture * event.steps + event.step * event.batch;
      const from = pictures.before + event.picture + 1;
      const which = event.batch > 1 ? `pictures ${from} to ${from + event.batch - 1}` : `picture ${from}`;
      output.progress.steps("drawing", steps.pace(done), `${which} of ${pictures.total}`);
      const now = performance.now();
      batch.share += (now - last) / event.batch;
      last = now;
      if (previewEvery !== undefined && event.step % previewEvery === 0 && event.step < event.steps) {
        for (const [index, picture] of (await event.preview()).entries()) {
          const stem = `${stemOf({ ...request, seed: request.seed + event.picture + index }, options.naming)}-step${event.step}`;
          const file = await writeNew(previewFolder, stem, "png", await encodePng(picture));
          output.result.previews = [...((output.result.previews as string[] | undefined) ?? []), file];
        }
      }
    } else {
      const { index, seed, recipe, width, height } = event;
      const stem = stemOf({ ...request, seed }, options.naming);
      const file = await writeNew(folder, stem, "png", await encodePng(event, recipe));
      const now = performance.now();
      const seconds = (batch.share + now - last) / 1000;
      last = now;
      await options.onPicture({ file, seed, width, height, seconds, recipe }, event, index);
    }
  }
}

/** `tiller-<seed>-<guidance>[-w<omega>]`, followed by settings that are changed or requested. */
function stemOf(request: FullRequest, naming: MakeOptions["naming"] = []): string {
  const { seed, guidance, steps, sampler, strength } = request;
  const parts = [`tiller-${seed}-${guidance}`];
  for (const { setting, value } of namingSettings(guidance, request, (name) => naming.includes(name))) {
    // Some file systems allow no colons.
    parts.push(`${setting.short}${String(value).replaceAll(":", "-")}`);
  }
  if (naming.includes("steps")) parts.push(`n${steps}`);
  if (naming.includes("sampler")) parts.push(sampler);
  if (naming.includes("strength")) parts.push(`strength${strength}`);
  return parts.join("-");
}
