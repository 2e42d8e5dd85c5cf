/** Text, and a picture if one is given, to pictures: the map of the system. */
import { areComputable } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";
import type { Evaluated } from "../guidance/evaluations.ts";
import type { RowText } from "../guidance/guidance.ts";
import { evaluate } from "../guidance/index.ts";
import { sharesIn } from "../guidance/share.ts";
import type { Pixels } from "../images/pixels.ts";
import { createNoise, type NoiseSource } from "../random/noise.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { stepsOf } from "../recipe/request.ts";
import { plainAttention, type Tensor } from "../runtime/index.ts";
import { createSampler, type History } from "../samplers/index.ts";
import { refuseStrength } from "./adapter-strength.ts";
import type { RowInputs } from "./denoiser.ts";
import { doubts, type Filled, recipeOf } from "./fill.ts";
import type { GivenPictures } from "./given-picture.ts";
import type { Parts } from "./load.ts";
import { type Beginning, startOf } from "./start.ts";
import { tokenizeTexts } from "./texts.ts";

/** A warning about the request. */
export interface WarningEvent {
  /** Tells events apart. */
  readonly type: "warning";
  /** One sentence. */
  readonly message: string;
}

/** A step of a batch of pictures is done. */
export interface StepEvent {
  /** Tells events apart. */
  readonly type: "step";
  /** Steps done of {@link steps} for the current batch. */
  readonly step: number;
  /** Steps drawn per picture; with a picture to start from, fewer than the request's. */
  readonly steps: number;
  /** Index of the first picture of the current batch. */
  readonly picture: number;
  /** Pictures in the batch. */
  readonly batch: number;
  /** Network evaluations per picture and step, averaged over the steps of a picture. */
  readonly rows: number;
  /** Decodes the pictures of the batch as they look so far, which costs one decoding each. */
  preview(): Promise<Pixels[]>;
}

/** A picture is finished. */
export interface PictureEvent extends Pixels {
  /** Tells events apart. */
  readonly type: "picture";
  /** Index of the picture in the request, from 0. */
  readonly index: number;
  /** The seed of its noise: the request's, plus the index. */
  readonly seed: number;
  /** Reproduces the picture: for `encodePng`. */
  readonly recipe: Recipe;
}

/** The events of generation, in order. */
export type GenerateEvent = WarningEvent | StepEvent | PictureEvent;

/** Options that do not change the pictures. */
export interface GenerateOptions {
  /** Stops before the next step by throwing the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Pictures computed together; does not change the pictures. */
  readonly batch?: number | undefined;
}

interface PictureState {
  readonly index: number;
  readonly seed: number;
  readonly noise: NoiseSource;
  readonly beginning: Beginning;
  latents: Float32Array;
  clean: Float32Array;
  history: History | undefined;
  evaluated: readonly Evaluated[];
}

/** Pictures step by step, in batches. */
export async function* textToImage(
  parts: Parts,
  request: Filled,
  given: GivenPictures | undefined,
  { signal, batch }: GenerateOptions,
): AsyncGenerator<GenerateEvent> {
  const { engine, model, predictor, decoder, adapters } = parts;
  const { count } = request;
  const steps = stepsOf(request);
  const guidance = evaluate(request.guidance, request, steps);
  const sampler = createSampler(request.sampler, model.scheduler, request.steps, {
    karras: request.karras || undefined,
  });
  const shares = guidance.moments.flatMap((rows) => rows.flatMap(({ strength }) => sharesIn(strength)));
  const farthest = Math.max(...shares.map(Math.abs));
  if (farthest > 1)
    for (const { adapter, file, strength } of adapters) refuseStrength(adapter, file, strength, farthest);
  const { pixelsPerLatent } = model.latents;
  const [height, width] = [request.height / pixelsPerLatent, request.width / pixelsPerLatent];
  const rows = guidance.rowsAStep;
  const texts = new Set(guidance.rows.map((row): RowText => row.text));
  const { tokens, warnings } = tokenizeTexts({ ...parts, text: model.text }, request, texts, adapters);
  const start = startOf(parts, request, given, sampler);
  for (const message of [...doubts(parts, request), ...warnings, ...start.warnings]) yield { type: "warning", message };
  if (!engine.fusedAttention) yield { type: "warning", message: `the ${engine.device} device's ${plainAttention}` };
  const batchSize = batch ?? model.denoiser.picturesAtOnce(guidance.rows.length, height, width);
  const { tiled } = await parts.planned({
    width: request.width,
    height: request.height,
    pictures: Math.min(count, batchSize),
    rows: guidance.rows.length,
    encodes: given !== undefined,
  });
  signal?.throwIfAborted();

  const begin = await start.encoded({ tiled, signal });
  const decode = (latents: Float32Array): Promise<Pixels> => decoder.decode(latents, height, width, tiled);
  const inputs = Object.fromEntries(
    Object.entries(tokens).map(([text, tokens]) => [
      text,
      { tokens, conditions: model.denoiser.conditions?.(request, text as RowText) },
    ]),
  ) as Record<RowText, RowInputs>;
  const method = await predictor.encode(guidance.moments, inputs, request.clipSkip);
  try {
    for (let first = 0; first < count; first += batchSize) {
      const pictures = Array.from({ length: Math.min(batchSize, count - first) }, (_, i): PictureState => {
        const seed = request.seed + first + i;
        const noise = createNoise(seed);
        const beginning = begin(noise);
        const { latents } = beginning;
        return { index: first + i, seed, noise, beginning, latents, clean: latents, history: undefined, evaluated: [] };
      });
      const networks = await predictor.batch(method, pictures.length);
      try {
        for (const [done, timestep] of sampler.timesteps.slice(-steps).entries()) {
          signal?.throwIfAborted();
          const step = request.steps - steps + done;
          const seen = pictures.map(({ latents, beginning }): Tensor => {
            const data = beginning.seen(sampler.scale(latents, step));
            return { shape: [1, data.length / (height * width), height, width], data };
          });
          const predictions = await networks.predict(seen, timestep, guidance.computed(done), guidance.momentAt(done));
          for (const [i, picture] of pictures.entries()) {
            const { prediction, evaluated } = guidance.guided(done, predictions[i]!, picture.evaluated);
            const stepped = picture.beginning.kept(sampler.step({ ...picture, prediction, step }), step);
            Object.assign(picture, { history: undefined, evaluated }, stepped);
            refuseUncomputable(picture);
          }
          const preview = async () => {
            const soFar: Pixels[] = [];
            for (const { clean } of pictures) soFar.push(await decode(clean));
            return soFar;
          };
          yield { type: "step", step: done + 1, steps, picture: first, batch: pictures.length, rows, preview };
        }
      } finally {
        await networks.release();
      }
      for (const { index, seed, latents } of pictures) {
        signal?.throwIfAborted();
        const picture = await decode(latents);
        yield {
          type: "picture",
          index,
          seed,
          ...picture,
          recipe: recipeOf(parts, { ...request, seed, count: 1 }, tiled),
        };
      }
    }
  } finally {
    await method.release();
  }
}

/** @throws TillerError at the step at which a picture's latents become non-finite, or are about to. */
function refuseUncomputable({ seed, latents }: PictureState): void {
  if (areComputable(latents)) return;
  throw new TillerError(
    "picture-not-finite",
    `the picture of seed ${seed} has numbers too large to compute with: choose a smaller scale or adapter strength.`,
  );
}
