/** The loss of a run's draws: denoising, and the semantic term if the method has one. */

import type { Model } from "../../families/family.ts";
import type { Engine, Tensor } from "../../runtime/index.ts";
import { augmentationWords } from "../data/augmentation.ts";
import { prepareDraws, type Source } from "../data/draws.ts";
import { trainingMethods } from "../methods/index.ts";
import { accumulate } from "../optimise/tensor-values.ts";
import type { Share } from "../progress.ts";
import type { TrainingSettings } from "../run/options.ts";
import { buildLatentEncoder } from "./latents.ts";
import { noisingOf } from "./noising.ts";
import { compileTerms, type Evaluated, type Sample } from "./terms.ts";
import { encodeTexts, type TrainingTexts } from "./texts.ts";
import { type Trained, trainsText } from "./trained.ts";

export interface ObjectiveParts {
  readonly engine: Engine;
  readonly model: Model;
  readonly settings: TrainingSettings;
  readonly trained: Trained;
  /** The trained tensors, read again at each evaluation. */
  readonly values: ReadonlyMap<string, Tensor>;
  readonly sources: readonly Source[];
  readonly resolution: number;
  readonly texts: TrainingTexts;
  /** Whether pictures are encoded in tiles. */
  readonly tiled?: boolean | undefined;
}

/**
 * Encodes what stays constant, yielding the progress, compiles the terms, and returns a function from the draw's index to the
 * loss and its gradients.
 */
export async function* buildObjective({
  engine,
  model,
  settings,
  trained,
  values,
  sources,
  resolution,
  texts,
  tiled,
}: ObjectiveParts): AsyncGenerator<Share, (draw: number) => Promise<Evaluated>, undefined> {
  const { semantic } = trainingMethods[settings.recipe];
  const noising = noisingOf(model.schedule);
  const encoded = trainsText(model, trained)
    ? undefined
    : await encodeTexts(
        engine,
        model,
        new Map(
          [...promptsOf(sources), ...(settings.captionDropout ? [""] : [])].map((prompt) => [
            prompt,
            texts.tokens(prompt),
          ]),
        ),
      );
  // Built only after the text encoder, which may be large, is released.
  const encoder = await buildLatentEncoder(engine, model, tiled);
  const draws = yield* prepareDraws(sources, {
    seed: settings.seed,
    batch: settings.batch,
    resolution,
    encoder,
    noising,
    text: (prompt): Sample["text"] => (encoded ? encoded.get(prompt)! : texts.tokens(prompt)),
    captionDropout: settings.captionDropout,
    weight: ({ purpose, timestep, mask, elements }) => {
      const mean = mask ? 1 / mask.reduce((a, b) => a + b, 0) : 1 / elements;
      if (purpose === "class") return mean * settings.priorWeight;
      return settings.snrGamma === undefined ? mean : mean * noising.minSnrWeight(timestep, settings.snrGamma);
    },
  });
  if (!settings.augmentation) await encoder.release();
  const terms = await compileTerms(engine, model, trained, values, noising, { semantic });
  const shape = encoder.shape(resolution);
  const { prompt, classPrompt, semanticWeight, pooling } = settings;
  const poolAt = pooling === "released" ? texts.largest : texts.end;
  return async (draw) => {
    const denoising = await terms.denoising(await draws(draw), shape);
    if (!semantic) return denoising;
    const pair = [texts.tokens(prompt), texts.tokens(classPrompt)] as const;
    const kept = await terms.semantic(pair, [poolAt(prompt), texts.end(classPrompt)]);
    const gradients = new Map(denoising.gradients);
    accumulate(gradients, kept.gradients, semanticWeight);
    return { loss: denoising.loss + semanticWeight * kept.loss, gradients };
  };
}

/** Every prompt that the sources' pictures can have, with the prefixes of augmentation. */
const promptsOf = (sources: readonly Source[]): string[] =>
  sources.flatMap(({ pictures, augmentation }) =>
    pictures.flatMap(({ prompt }) => (augmentation ? augmentationWords.map((words) => words + prompt) : [prompt])),
  );
