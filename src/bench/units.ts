/** How each kind of unit is done. */
import { join } from "node:path";
import type { ClipEncoder, Features, PictureEncoder } from "../metrics/encoders.ts";
import { encodePng, writePng } from "../pictures/png.ts";
import type { Pixels } from "../pictures/resample.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { makeClassPictures } from "../training/class-pictures.ts";
import { type TrainOptions, train } from "../training/train.ts";
import type { BenchConcept } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { type AdapterUnit, type PictureUnit, subjectOf } from "./plan.ts";
import { doOnce } from "./store.ts";

export interface Encoders {
  readonly clip: ClipEncoder;
  readonly dino: PictureEncoder;
}

/** What a finished adapter unit says. */
export interface AdapterRecord {
  /** The adapter's files. */
  readonly adapters: readonly string[];
  readonly seconds: number;
}

/** What a finished picture unit says; features as base64 of float32. */
export interface PictureRecord {
  readonly seeds: readonly number[];
  readonly clip: readonly string[];
  readonly dino: readonly string[];
  /** Of the prompt with the class alone, and with the token as well. */
  readonly text: { readonly class: string; readonly token: string };
  readonly seconds: number;
  /** Rows a picture and step, and the most memory the process held meanwhile, in bytes. */
  readonly rows: number;
  readonly memory: number;
}

/** What goes on, what of it exactly, and how much of that is done, 0 to 1. */
export type OnStep = (doing: string, detail: string, share: number) => void;

/** Trains a concept's adapter, going on with an unfinished run. */
export async function doAdapter(
  adapter: AdapterUnit,
  concept: BenchConcept,
  model: string,
  options: TrainOptions,
  onStep: OnStep,
): Promise<"done" | "held"> {
  if (adapter.classPictures > 0) {
    const drawn = await doOnce(join(adapter.classFolder, ".drawn"), () =>
      makeClassPictures(model, {
        folder: adapter.classFolder,
        count: adapter.classPictures,
        prompt: `a ${concept.class}`,
        resolution: undefined,
        seed: 0,
        load: options,
        signal: options.signal,
        onStep: (done, of) => onStep(`drawing any ${concept.class}`, `picture ${Math.floor(done)} of ${of}`, done / of),
      }),
    );
    if (drawn === "held") return "held";
  }
  return doOnce(adapter.folder, async (): Promise<AdapterRecord> => {
    const began = performance.now();
    let adapters: readonly string[] = [];
    for await (const event of train(adapter.recipe, adapter.request, options)) {
      if (event.type === "step") {
        const { step, steps, loss } = event;
        onStep(`learning ${concept.name}`, `step ${step} of ${steps}, loss ${loss.toFixed(4)}`, step / steps);
      }
      if (event.type === "saved") adapters = event.adapters;
    }
    return { adapters, seconds: (performance.now() - began) / 1000 };
  });
}

/** Draws and encodes a unit's pictures; the pipeline has the cell's adapter already. */
export async function doPictures(
  { folder, arm, prompt }: PictureUnit,
  concept: BenchConcept,
  experiment: Experiment,
  pipeline: Pipeline,
  encoders: Encoders,
  signal: AbortSignal | undefined,
  onStep: OnStep,
): Promise<"done" | "held"> {
  const { pictures, seed, steps, sampler } = experiment;
  const text = prompt.about(subjectOf(experiment, concept));
  return doOnce(folder, async (): Promise<PictureRecord> => {
    const began = performance.now();
    const drawn: Pixels[] = [];
    const seeds: number[] = [];
    let [rows, memory] = [0, 0];
    const request = { prompt: text, ...arm, seed, count: pictures, steps, sampler };
    for await (const event of pipeline.generate(request, { signal })) {
      if (event.type === "step") {
        onStep("drawing", `${arm.guidance}: ${text}`, event.step / event.steps);
        rows = event.rows;
        memory = Math.max(memory, process.memoryUsage.rss());
      }
      if (event.type !== "picture") continue;
      drawn.push(event);
      seeds.push(event.seed);
      await writePng(join(folder, `${event.seed}.png`), await encodePng(event, event.recipe));
    }
    const seconds = (performance.now() - began) / 1000;
    const [plain, named] = await encoders.clip.texts([prompt.about(concept.class), text]);
    return {
      seeds,
      clip: (await encoders.clip.pictures(drawn)).map(packed),
      dino: (await encoders.dino.pictures(drawn)).map(packed),
      text: { class: packed(plain!), token: packed(named!) },
      seconds,
      rows,
      memory,
    };
  });
}

const packed = (features: Features): string =>
  Buffer.from(features.buffer, features.byteOffset, features.byteLength).toString("base64");

export function unpacked(text: string): Features {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
