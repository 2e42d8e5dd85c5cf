/** Does each kind of unit. */
import { join, relative } from "node:path";
import { z } from "zod";
import { exists } from "#bytes";
import { readPixels } from "#images";
import { readJson } from "../bytes/json-file.ts";
import { writeWhole } from "../bytes/write-whole.ts";
import type { Features } from "../metrics/features.ts";
import { type EncodedBy, type EncoderName, encodersOf } from "../metrics/fidelity.ts";
import type { Encoders } from "../metrics/open-encoders.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { encodePng } from "../recipe/png.ts";
import { styledPrompt } from "../recipe/styled-prompt.ts";
import { makeClassPictures } from "../training/data/class-pictures.ts";
import { type TrainOptions, train } from "../training/run/train.ts";
import type { BenchConcept } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { type AdapterUnit, type PictureUnit, subjectOf } from "./plan.ts";
import { finish } from "./store.ts";
import { classPlace } from "./units-left.ts";

/** The record of a finished adapter unit. */
export interface AdapterRecord {
  /** The adapter's files, relative to the unit's folder. */
  readonly adapters: readonly string[];
  readonly seconds: number;
}

/** The record of a finished picture unit. */
export interface PictureRecord {
  readonly seeds: readonly number[];
  readonly seconds: number;
  /** Rows per picture and step, and the process's peak memory in bytes. */
  readonly rows: number;
  readonly memory: number;
}

/** Records come from stores that others write, too: their names lead nowhere else. */
export const adapterRecordSchema = z.looseObject({
  adapters: z.array(z.string().regex(/^[\w-][\w.-]*\.safetensors$/)),
}) as unknown as z.ZodType<AdapterRecord>;
export const pictureRecordSchema = z.looseObject({
  seeds: z.array(z.number().int().nonnegative()),
}) as unknown as z.ZodType<PictureRecord>;

/** The features of a unit by one encoder, as base64 of float32. */
interface FeatureRecord {
  readonly pictures: readonly string[];
  /** Of the prompt with the class only, and with the token as well; absent if the encoder reads no texts. */
  readonly text?: { readonly class: string; readonly token: string };
}

/** The features of a unit's pictures, in the order of its seeds, and of its text. */
export interface UnitFeatures {
  readonly pictures: readonly EncodedBy[];
  readonly text: EncodedBy;
}

/** Reports the steps done of a unit, what is being done, and which part of it; the next step waits for it. */
export type OnStep = (done: number, doing: string, detail: string) => void | Promise<void>;

/** Names in recipes, which are the same wherever a picture is drawn. */
export interface RecipeNames {
  readonly model: string;
  readonly base: string | undefined;
  /** The adapters' files: those trained here relative to the experiment's folder. */
  readonly adapters: readonly string[];
}

/** Draws the class images of an adapter, which other adapters share. */
export async function drawClass(
  adapter: AdapterUnit,
  { class: noun }: BenchConcept,
  model: string,
  options: TrainOptions,
  onStep: OnStep,
): Promise<void> {
  await finish(classPlace(adapter), async () => {
    const making = makeClassPictures(model, {
      folder: adapter.classFolder,
      count: adapter.classPictures,
      prompt: adapter.classPrompt,
      resolution: adapter.resolution,
      seed: 0,
      load: options,
      signal: options.signal,
    });
    for await (const { done, which } of making) await onStep(done, `drawing any ${noun}`, which);
  });
}

/** Trains a concept's adapter, resuming an unfinished run. */
export async function doAdapter(
  adapter: AdapterUnit,
  concept: BenchConcept,
  options: TrainOptions,
  onStep: OnStep,
): Promise<void> {
  await finish(adapter.folder, async (): Promise<AdapterRecord> => {
    const began = performance.now();
    let adapters: readonly string[] = [];
    for await (const event of train(adapter.recipe, adapter.request, options)) {
      if (event.type === "step") {
        const { step, loss } = event;
        await onStep(step, `learning ${concept.name}`, `loss ${loss.toFixed(4)}`);
      }
      if (event.type === "saved") adapters = event.adapters.map((file) => relative(adapter.folder, file));
    }
    return { adapters, seconds: (performance.now() - began) / 1000 };
  });
}

/** Draws a unit's pictures; the pipeline has the cell's adapter already. */
export async function doPictures(
  { folder, arm, prompt }: PictureUnit,
  concept: BenchConcept,
  experiment: Experiment,
  pipeline: Pipeline,
  signal: AbortSignal | undefined,
  onStep: OnStep,
  names: RecipeNames,
): Promise<void> {
  const { pictures, seed, steps, sampler, instruction, negative } = experiment;
  const text = prompt.about(subjectOf(experiment, concept));
  await finish(folder, async (): Promise<PictureRecord> => {
    const began = performance.now();
    const seeds: number[] = [];
    let [rows, memory] = [0, 0];
    const request = {
      prompt: text,
      ...arm,
      instruction,
      ...(negative !== undefined && { negative }),
      seed,
      count: pictures,
      steps,
      sampler,
      ...(prompt.style !== undefined && { style: prompt.style }),
      ...(prompt.image !== undefined && { image: prompt.image }),
    };
    for await (const event of pipeline.generate(request, { signal })) {
      if (event.type === "step") {
        await onStep(event.picture * event.steps + event.step * event.batch, "drawing", `${arm.guidance}: ${text}`);
        rows = event.rows;
        memory = Math.max(memory, process.memoryUsage.rss());
      }
      if (event.type !== "picture") continue;
      seeds.push(event.seed);
      const adapters = event.recipe.adapters.map((one, i) => ({ ...one, file: names.adapters[i]! }));
      const recipe = { ...event.recipe, model: names.model, adapters, ...(names.base && { base: names.base }) };
      await writeWhole(join(folder, `${event.seed}.png`), await encodePng(event, recipe));
    }
    return { seeds, seconds: (performance.now() - began) / 1000, rows, memory };
  });
}

/** The features of a unit: read, or computed from the files and stored, by each encoder. */
export async function featuresOfUnit(
  unit: PictureUnit,
  record: PictureRecord,
  concept: BenchConcept,
  experiment: Experiment,
  encoders: Encoders,
): Promise<UnitFeatures> {
  const pictures: Partial<Record<EncoderName, Features>>[] = record.seeds.map(() => ({}));
  const text: Partial<Record<EncoderName, Features>> = {};
  for (const { name } of encodersOf(experiment.metrics)) {
    const stored = await featuresBy(name, unit, record, concept, experiment, encoders);
    for (const [i, features] of stored.pictures.entries()) pictures[i]![name] = unpacked(features);
    if (stored.text) text[name] = unpacked(stored.text[experiment.text]);
  }
  return { pictures, text };
}

async function featuresBy(
  name: EncoderName,
  { folder, features, prompt }: PictureUnit,
  { seeds }: PictureRecord,
  concept: BenchConcept,
  experiment: Experiment,
  encoders: Encoders,
): Promise<FeatureRecord> {
  const file = features[name]!;
  if (await exists(file)) return (await readJson(file, z.unknown())) as FeatureRecord;
  const encoder = encoders.get(name)!;
  const pixels = await Promise.all(seeds.map((seed) => readPixels(join(folder, `${seed}.png`))));
  const wordsFor = (subject: string) => styledPrompt({ prompt: prompt.about(subject), style: prompt.style });
  const both = [concept.class, subjectOf(experiment, concept)].map(wordsFor);
  const texts = encoder.texts && (await encoder.texts(both)).map(packed);
  const record: FeatureRecord = {
    pictures: (await encoder.pictures(pixels)).map(packed),
    ...(texts && { text: { class: texts[0]!, token: texts[1]! } }),
  };
  await writeWhole(file, `${JSON.stringify(record)}\n`);
  return record;
}

const packed = (features: Features): string =>
  Buffer.from(features.buffer, features.byteOffset, features.byteLength).toString("base64");

function unpacked(text: string): Features {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
