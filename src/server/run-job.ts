/** Runs each kind of job. */

import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type DeviceName,
  encodePng,
  type MemoryPlan,
  type Pace,
  type PrecisionName,
  type Recipe,
  readPixels,
  readRecipe,
  TillerError,
  train,
} from "../index.ts";
import { completed, exists, memoryText, paceOf, readLossLog, runFolderOf, stepsOf, writeWhole } from "../internal.ts";
import { withoutPlaces } from "./answer.ts";
import type { DataFolder } from "./data-folder.ts";
import { type Job, type PicturesRequest, requestsOf, type TrainingJobRequest } from "./jobs.ts";
import type { Models } from "./models.ts";
import type { Pipelines } from "./pipelines.ts";
import { refuseTooMuch } from "./work.ts";

/** Does a job, reporting changes; throws the signal's reason when aborted. */
export type RunJob = (job: Job, change: (change: Partial<Job>) => void, signal: AbortSignal) => Promise<Partial<Job>>;

export interface Workshop {
  readonly data: DataFolder;
  readonly models: Models;
  readonly pipelines: Pipelines;
  /** The most megapixel-steps of one request. */
  readonly mostWork: number;
  readonly device?: DeviceName | undefined;
  /** The precision of jobs that name none. */
  readonly precision?: PrecisionName | undefined;
  readonly threads?: number | undefined;
}

export const runJobIn =
  (workshop: Workshop): RunJob =>
  (job, change, signal) =>
    job.request.kind === "training"
      ? learn(job, job.request, workshop, change, signal)
      : draw(job.id, job.request, workshop, change, signal);

async function draw(
  id: string,
  asked: PicturesRequest,
  { data, models, pipelines, mostWork, precision: usual }: Workshop,
  change: (change: Partial<Job>) => void,
  signal: AbortSignal,
): Promise<Partial<Job>> {
  const files = await Promise.all(
    asked.adapters.map(async ({ name, strength }) => {
      const file = data.adapter(name);
      if (!(await exists(file))) throw new TillerError("adapter-unknown", `there is no adapter ${name} here.`);
      return { file, strength };
    }),
  );
  const chosen = models.get(asked.model);
  const base = asked.base === undefined ? undefined : models.get(asked.base);
  const [one] = requestsOf(asked);
  const job = {
    drawing: one && {
      ...{ width: one.width, height: one.height, count: one.count },
      ...{ guidance: one.guidance, image: one.image },
    },
    onPlan: (plan: MemoryPlan) => change({ progress: { ...begins, what: memoryText(plan) } }),
  };
  const pipeline = await pipelines.get(
    { model: chosen.source, base: base?.source },
    files,
    asked.precision ?? usual,
    job,
    signal,
  );
  const { defaults } = pipeline;
  const given = { image: placeIn(data, asked.request.image), mask: placeIn(data, asked.request.mask) };
  const requests = requestsOf(asked).map((one) => completed({ ...one, ...given }, defaults));
  refuseTooMuch(
    requests.map(({ width = defaults.width, height = defaults.height, ...one }) => ({ ...one, width, height })),
    mostWork,
  );
  const total = requests.reduce((sum, one) => sum + stepsOf(one) * one.count, 0);
  const at = paceOf({ drawing: { steps: total, weight: 1 } });
  const all = requests.reduce((sum, { count }) => sum + count, 0);
  const pictures: string[] = [];
  const warnings: string[] = [];
  let before = 0;
  try {
    for (const one of requests) {
      for await (const event of pipeline.generate(one, { signal })) {
        if (event.type === "warning") {
          const message = withoutPlaces(event.message, [
            ...files.map(({ file }) => file),
            chosen.source,
            ...(base ? [base.source] : []),
          ]);
          if (!warnings.includes(message)) warnings.push(message);
        } else if (event.type === "step") {
          const pace = at("drawing", before + event.picture * event.steps + event.step * event.batch);
          change({
            progress: { ...pace, what: `picture ${pictures.length + 1} of ${all}` },
            pictures: [...pictures],
            warnings,
          });
        } else {
          const picture = `${id}-${pictures.length}`;
          await writeWhole(
            data.picture(picture),
            await encodePng(event, publicRecipe(event.recipe, { model: chosen.name, base: base?.name }, asked)),
          );
          pictures.push(picture);
          change({ pictures: [...pictures] });
        }
      }
      before += stepsOf(one) * one.count;
    }
  } catch (error) {
    // A failed pipeline is not reused: its worker may be gone. A wrong request does not affect it.
    if (!signal.aborted && !(error instanceof TillerError && error.kind === "usage"))
      await pipelines.close().catch(() => {});
    throw error;
  }
  return { pictures, warnings, progress: { done: total, total, what: "" } };
}

/** An upload's first picture. */
const placeIn = (data: DataFolder, upload: string | undefined) => upload && data.uploaded(upload, "00.png");

/** A recipe without the server's paths: models and adapters by name, pictures that it starts from by upload. */
function publicRecipe(
  recipe: Recipe,
  names: { readonly model: string; readonly base?: string | undefined },
  asked?: PicturesRequest,
): Recipe {
  const { image, mask, ...request } = recipe.request;
  const named = {
    ...(image && { image: { ...image, file: asked?.request.image } }),
    ...(mask && { mask: { ...mask, file: asked?.request.mask } }),
  };
  const adapters = recipe.adapters.map((adapter) => ({ ...adapter, file: adapter.name }));
  return { ...recipe, ...names, adapters, request: { ...request, ...named } };
}

async function withPublicRecipe(file: string, model: string): Promise<Uint8Array> {
  const [pixels, recipe] = [await readPixels(file), await readRecipe(file)];
  return encodePng(pixels, publicRecipe(recipe, { model }));
}

/** Where training works: the same request resumes its run, any other starts a new one. */
export function runOf(
  { model, name, method, upload, kind, precision, ...settings }: TrainingJobRequest,
  data: DataFolder,
): { readonly runs: string; readonly run: string } {
  const asked = { model, method, settings, precision };
  const key = createHash("sha256").update(JSON.stringify(asked)).digest("hex").slice(0, 12);
  const runs = data.runs(upload, name);
  return { runs, run: `${runs}${key}.safetensors` };
}

/** The progress of a job whose length is not known yet. */
const begins: Pace = { done: 0, total: 1 };

async function learn(
  { id, pictures: before }: Pick<Job, "id" | "pictures">,
  asked: TrainingJobRequest,
  { data, models, pipelines, device, threads, precision: usual }: Workshop,
  change: (change: Partial<Job>) => void,
  signal: AbortSignal,
): Promise<Partial<Job>> {
  const { model, name, method, upload, kind, precision: own, ...settings } = asked;
  const images = data.upload(upload);
  if (!(await exists(images)))
    throw new TillerError("pictures-gone", "these pictures are no longer here: upload them again.");
  // Free the memory for training.
  await pipelines.close();
  const { runs, run } = runOf(asked, data);
  const request = { ...settings, model: models.get(model).source, images, out: run, resume: true };
  // A resumed run has its earlier losses in its log.
  const logged = await readLossLog(join(runFolderOf(run), "log.jsonl"));
  if (logged.length > 0) change({ losses: logged.map(({ loss }) => loss) });
  const losses: number[] = [];
  const warnings: string[] = [];
  const pictures = [...before];
  let adapters: readonly string[] = [];
  // int8 is only for drawing: a server started with it trains in float32.
  const precision = own ?? (usual === "int8" ? "float32" : usual);
  for await (const event of train(method, request, { device, precision, threads, signal })) {
    if (event.type === "warning") {
      warnings.push(withoutPlaces(event.message, [images, run, runFolderOf(run), request.model]));
      change({ warnings: [...warnings] });
    }
    if (event.type === "plan") change({ progress: { ...begins, what: event.message } });
    if (event.type === "doing") change({ progress: { ...(event.pace ?? begins), what: event.what } });
    if (event.type === "step") {
      if (losses.length === 0) for (const { step, loss } of logged) if (step < event.step) losses.push(loss);
      losses.push(event.loss);
      const progress = { ...event.pace, what: `step ${event.step} of ${event.steps}, loss ${event.loss.toFixed(4)}` };
      change({ progress, losses: [...losses] });
    }
    if (event.type === "sample") {
      const picture = `${id}-step-${event.step}`;
      await writeWhole(data.picture(picture), await withPublicRecipe(event.file, models.get(model).name));
      if (!pictures.includes(picture)) pictures.push(picture);
      change({ pictures: [...pictures] });
    }
    if (event.type === "saved") adapters = event.adapters;
  }
  await publish(adapters, run, name, data);
  for (const entry of await readdir(data.uploads)) {
    const path = join(data.uploads, entry);
    if (path.startsWith(runs)) await rm(path, { recursive: true, force: true });
  }
  return { adapter: name, losses, pictures };
}

/** Puts the adapter's files among the server's adapters. */
async function publish(files: readonly string[], run: string, name: string, data: DataFolder): Promise<void> {
  for (const file of files) {
    const suffix = file.slice(run.length - ".safetensors".length).replace(/\.safetensors$/, "");
    await writeWhole(data.adapter(`${name}${suffix}`), await readFile(file));
  }
}
