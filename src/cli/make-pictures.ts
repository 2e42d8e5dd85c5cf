/** Runs one request and puts its pictures on disk as they come. */

import { join } from "node:path";
import { encodePng, type FullRequest, type Pixels, type Recipe } from "../index.ts";
import { namingSettings, type SettingName, writeNew } from "../internal.ts";
import type { Output } from "./output.ts";
import { prepareFolder } from "./output-folder.ts";
import type { LoadedPipeline, World } from "./world.ts";

export interface MadePicture {
  readonly file: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  /** Wall time: of a batch, each picture's share. */
  readonly seconds: number;
  readonly recipe: Recipe;
}

export interface MakeOptions {
  readonly folder: string;
  /** Settings to tell in file names besides the usual ones. */
  readonly naming?: readonly (SettingName | "steps" | "sampler")[];
  /** Write what the pictures look like every so many steps, into the folder `previews` there: they are no results. */
  readonly previewEvery?: number | undefined;
  /** Steps that came before this request, and those of all requests together. */
  readonly steps: { readonly before: number; readonly total: number };
  /** Pictures likewise. */
  readonly pictures: { readonly before: number; readonly total: number };
  onPicture(made: MadePicture, picture: Pixels, index: number): Promise<void> | void;
}

/**
 * @throws The signal's reason once it is aborted; pictures that are finished stay.
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
  let batch = { first: -1, length: 1, began: performance.now() };
  for await (const event of pipeline.generate(request, { signal })) {
    if (event.type === "warning") {
      output.warn(event.message);
    } else if (event.type === "step") {
      if (event.picture !== batch.first) batch = { ...batch, first: event.picture, length: event.batch };
      const done =
        steps.before + event.picture * request.steps + (event.step / event.steps) * event.batch * request.steps;
      const from = pictures.before + event.picture + 1;
      const which = event.batch > 1 ? `pictures ${from} to ${from + event.batch - 1}` : `picture ${from}`;
      const where = `step ${event.step} of ${event.steps}, ${which} of ${pictures.total}`;
      output.progress.steps(done, steps.total, where);
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
      const last = index === batch.first + batch.length - 1;
      const now = performance.now();
      const seconds = (now - batch.began) / 1000 / (index - batch.first + 1);
      if (last) batch = { ...batch, began: now };
      await options.onPicture({ file, seed, width, height, seconds, recipe }, event, index);
    }
  }
}

/** `tiller-<seed>-<guidance>[-w<omega>]`, and the further settings that are changed or asked for. */
function stemOf(request: FullRequest, naming: MakeOptions["naming"] = []): string {
  const { seed, guidance, steps, sampler } = request;
  const parts = [`tiller-${seed}-${guidance}`];
  for (const { setting, value } of namingSettings(guidance, request, (name) => naming.includes(name))) {
    parts.push(`${setting.short}${value}`);
  }
  if (naming.includes("steps")) parts.push(`n${steps}`);
  if (naming.includes("sampler")) parts.push(sampler);
  return parts.join("-");
}
