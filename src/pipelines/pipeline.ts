/** Text to pictures: the map of the system. */
import { type Adapter, sites } from "../adapters/index.ts";
import { TillerError, UsageError } from "../errors.ts";
import { mix, type RowText } from "../guidance/guidance.ts";
import { doubtOf, guide, methodOf, settingsOf, valuesOf } from "../guidance/index.ts";
import { scale } from "../guidance/settings.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { type FullRequest, type Request, requestSchema, withSettings } from "../recipe/request.ts";
import { type OperatorTime, plainAttention, type Tensor } from "../runtime/index.ts";
import { createNoise, createSampler, type History, type NoiseSource } from "../samplers/index.ts";
import { version } from "../version.ts";
import type { Picture } from "./decoder.ts";
import { type LoadOptions, loadParts, type OpenAdapter, type Parts } from "./load.ts";
import { encodeTexts } from "./texts.ts";

export type GenerateEvent =
  | { readonly type: "warning"; readonly message: string }
  | {
      readonly type: "step";
      /** Steps done of `steps` for the batch in flight. */
      readonly step: number;
      readonly steps: number;
      /** Index of the first picture of the batch in flight, and how many it has. */
      readonly picture: number;
      readonly batch: number;
      /** Network evaluations a picture and step. */
      readonly rows: number;
      /** Decodes what the pictures of the batch look like so far; costs a decoding each. */
      preview(): Promise<Picture[]>;
    }
  | ({
      readonly type: "picture";
      readonly index: number;
      readonly seed: number;
      /** Repeats the picture. */
      readonly recipe: Recipe;
    } & Picture);

export interface GenerateOptions {
  /** Stops before the next step by throwing the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Pictures computed together; the pictures are the same whatever it is. */
  readonly batch?: number | undefined;
}

export interface Pipeline {
  /** Sessions built so far: moving omega, the prompt, the method or covered adapters builds none. */
  readonly sessionsBuilt: number;
  /** The device that computes. */
  readonly device: string;
  /**
   * Generates pictures, step by step. Several may be under way at once, but only one where there is a base.
   *
   * @throws UsageError if the request is wrong, before anything is computed.
   */
  generate(request: Request, options?: GenerateOptions): AsyncGenerator<GenerateEvent, void, undefined>;
  /** Takes other adapters (`file`, `file:strength`, or both apart). */
  setAdapters(adapters: LoadOptions["adapters"]): Promise<void>;
  /** Releases everything; with `profile`, the time per operator. */
  close(): Promise<readonly OperatorTime[]>;
}

export const Pipeline = {
  /**
   * Opens a model and its adapters and builds its networks.
   *
   * @param model A Diffusers folder, a single-file checkpoint, or a hub id.
   * @throws TillerError naming the file and what to do, if a part is missing or does not fit.
   */
  load: async (model: string, options: LoadOptions = {}): Promise<Pipeline> =>
    pipelineOf(await loadParts(model, options)),
};

function pipelineOf(parts: Parts): Pipeline {
  let running = 0;
  return {
    device: parts.engine.device,
    get sessionsBuilt() {
      return parts.engine.sessionsBuilt;
    },
    async *generate(request, options = {}) {
      // The network between model and base is rebuilt for another omega.
      if (parts.base && running > 0)
        throw new UsageError("with a base, wait until the pictures under way are finished");
      running++;
      try {
        yield* generate(parts, fill(parts, request), options);
      } finally {
        running--;
      }
    },
    async setAdapters(adapters) {
      if (running > 0) throw new UsageError("adapters cannot change while pictures are being generated");
      await parts.setAdapters(adapters ?? []);
    },
    close: () => parts.engine.close(),
  };
}

interface PictureState {
  readonly index: number;
  readonly seed: number;
  readonly noise: NoiseSource;
  latents: Float32Array;
  clean: Float32Array;
  history: History | undefined;
}

type Filled = FullRequest & { readonly width: number; readonly height: number };

async function* generate(
  parts: Parts,
  request: Filled,
  { signal, batch }: GenerateOptions,
): AsyncGenerator<GenerateEvent> {
  const { engine, predictor, decoder, adapters } = parts;
  const { steps, count, width, height } = request;
  const guidance = guide(request.guidance, request);
  const sampler = createSampler(request.sampler, parts.scheduler, steps, { karras: request.karras || undefined });
  const shape = [1, decoder.channels, height / decoder.pixelsPerLatent, width / decoder.pixelsPerLatent] as const;
  const texts = new Set(guidance.rows.map((row): RowText => row.text));
  const { ids, warnings } = encodeTexts(parts, request, texts, adapters);
  const personalised = adapters.length > 0 || parts.base !== undefined;
  for (const message of [...doubts(request, personalised), ...idleStrengths(adapters), ...warnings]) {
    yield { type: "warning", message };
  }
  if (!engine.fusedAttention) yield { type: "warning", message: `the ${engine.device} device's ${plainAttention}` };
  signal?.throwIfAborted();
  const method = await predictor.encode(guidance.rows, ids, request.clipSkip);

  const batchSize = batch ?? usualBatch(guidance.rows.length, shape);
  for (let first = 0; first < count; first += batchSize) {
    const pictures = Array.from({ length: Math.min(batchSize, count - first) }, (_, i): PictureState => {
      const seed = request.seed + first + i;
      const noise = createNoise(seed);
      const latents = noise.normal(shape[1] * shape[2] * shape[3]).map((v) => v * sampler.initNoiseSigma);
      return { index: first + i, seed, noise, latents, clean: latents, history: undefined };
    });
    const networks = await predictor.batch(method, pictures.length);
    try {
      for (const [step, timestep] of sampler.timesteps.entries()) {
        signal?.throwIfAborted();
        const seen = pictures.map(({ latents }): Tensor => ({ shape, data: sampler.scale(latents, step) }));
        const predictions = await networks.predict(seen, timestep);
        const { output, renoise } = guidance.coefficients(step, steps);
        for (const [i, picture] of pictures.entries()) {
          const prediction = {
            output: mix(predictions[i]!, output),
            ...(renoise && { renoise: mix(predictions[i]!, renoise) }),
          };
          Object.assign(picture, { history: undefined }, sampler.step({ ...picture, prediction, step }));
        }
        const preview = () => decodeAll(pictures.map(({ clean }) => clean));
        yield {
          type: "step",
          step: step + 1,
          steps,
          picture: first,
          batch: pictures.length,
          rows: guidance.rows.length,
          preview,
        };
      }
    } finally {
      await networks.release();
    }
    for (const { index, seed, latents } of pictures) {
      signal?.throwIfAborted();
      if (!latents.every(Number.isFinite)) {
        throw new TillerError(
          `the picture of seed ${seed} is lost in numbers too large: choose a smaller scale or adapter strength`,
        );
      }
      const picture = await decoder.decode(latents, shape[2], shape[3]);
      yield { type: "picture", index, seed, ...picture, recipe: recipeOf(parts, { ...request, seed, count: 1 }) };
    }
  }

  async function decodeAll(all: readonly Float32Array[]): Promise<Picture[]> {
    const decoded: Picture[] = [];
    for (const latents of all) decoded.push(await decoder.decode(latents, shape[2], shape[3]));
    return decoded;
  }
}

/** The request with every default filled in, checked against the schema and the model. */
function fill({ decoder, nativeSize }: Parts, request: Request): Filled {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`${issue?.path.join(".") || "the request"}: ${issue?.message}`);
  }
  const full = withSettings(parsed.data);
  const filled = {
    ...full,
    // A model's own defaults belong here, as the third argument.
    scale: full.scale ?? valuesOf(full.guidance, full).scale ?? scale.default,
    width: full.width ?? nativeSize.width,
    height: full.height ?? nativeSize.height,
  };
  for (const side of ["width", "height"] as const) {
    if (filled[side] % decoder.pixelsPerLatent !== 0) {
      throw new UsageError(
        `${side} ${filled[side]} is not divisible by ${decoder.pixelsPerLatent}, the model's pixels a latent`,
      );
    }
  }
  return filled;
}

/** What is allowed and probably not meant. */
function doubts(request: Filled, personalised: boolean): string[] {
  const { guidance, sampler } = request;
  const { needs } = methodOf(guidance);
  return [
    ...settingsOf(guidance).flatMap((setting) => doubtOf(setting, valuesOf(guidance, request)[setting.name]!) ?? []),
    ...(needs.includes("fine-tuning") && !personalised
      ? [`${guidance} compares a fine-tuned model with its base, but no adapter or base is given`]
      : []),
    ...(needs.includes("ddim") && sampler !== "ddim" ? [`${guidance} is made for the sampler ddim`] : []),
  ];
}

/** An embedding is there or not; a strength finds nothing in it to weigh. */
const idleStrengths = (adapters: readonly OpenAdapter[]): string[] =>
  adapters
    .filter(({ adapter, strength }) => strength !== 1 && isEmbedding(adapter))
    .map(({ file, strength }) => `the strength ${strength} of ${file} does nothing: it is an embedding`);

const isEmbedding = (adapter: Adapter): boolean =>
  adapter.tokens.size > 0 && Object.values(sites([adapter])).every(({ size }) => size === 0);

/** As many pictures as give the network the work of two rows at 512x512, at most 16. */
function usualBatch(rows: number, [, , height, width]: readonly [1, number, number, number]): number {
  return Math.min(16, Math.max(1, Math.floor((2 * 64 * 64) / (rows * height * width))));
}

const recipeOf = ({ model, options, adapters }: Parts, request: FullRequest): Recipe => ({
  tiller: version,
  model,
  ...(options.base !== undefined && { base: options.base }),
  ...(options.variant !== undefined && { variant: options.variant }),
  ...(options.config !== undefined && { config: options.config }),
  adapters: adapters.map(({ adapter, file, strength, sha256 }) => ({ file, name: adapter.name, strength, sha256 })),
  request,
});
