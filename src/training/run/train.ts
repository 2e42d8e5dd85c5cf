/** From pictures to an adapter or a network: the overview of training. */
import { exists, join, placeOf } from "#bytes";
import { madeBy } from "../../adapters/index.ts";
import { TillerError } from "../../errors/index.ts";
import type { Model } from "../../families/family.ts";
import { openModel } from "../../families/open-model.ts";
import { largestNetwork } from "../../families/parameters.ts";
import { pictureFolder } from "../../images/folder.ts";
import type { Pace } from "../../pace.ts";
import { drawingCompute } from "../../pipelines/drawing-compute.ts";
import type { SamplerName } from "../../recipe/request.ts";
import {
  type Compute,
  type Device,
  type DeviceName,
  type Precision,
  type PrecisionName,
  resolveCompute,
  startEngine,
  targets,
} from "../../runtime/index.ts";
import { loadTokenizer } from "../../text/tokenizer.ts";
import { makeClassPictures, quickDrawing, strangeClassPicture } from "../data/class-pictures.ts";
import type { Source } from "../data/draws.ts";
import { keptPictures } from "../data/kept-pictures.ts";
import { readPictures, type TrainingPicture } from "../data/pictures.ts";
import { textsWithoutToken } from "../data/texts-without-token.ts";
import { type TrainingMethodName, trainingMethods } from "../methods/index.ts";
import { initialEmbeddings } from "../objective/learned-token.ts";
import { networkTensors } from "../objective/network-tensors.ts";
import { buildObjective } from "../objective/objective.ts";
import { trainingTexts } from "../objective/texts.ts";
import { initialValues, projections, type Trained, textMatrices, trainedComponents } from "../objective/trained.ts";
import { type AdamWState, newAdamWState } from "../optimise/adamw.ts";
import { optimise } from "../optimise/optimise.ts";
import { dataOf } from "../optimise/tensor-values.ts";
import { textSide } from "../optimise/text-side.ts";
import { told } from "../progress.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { openLossLog } from "./loss-log.ts";
import { fillSettings, type TrainingRequest, type TrainingSettings } from "./options.ts";
import { runFolderOf, takeRunFolder } from "./run-folder.ts";
import { type RunPace, runPace } from "./run-pace.ts";
import { type Sampler, sampler } from "./samples.ts";
import { type Saved, saveTrained } from "./saved.ts";
import { planTraining, refuseShortTraining, type TrainingPlan, trainingPlanText } from "./training-plan.ts";

/** A warning about the run. */
export interface TrainingWarning {
  /** Tells events apart. */
  readonly type: "warning";
  /** One sentence. */
  readonly message: string;
}

/** A long operation before the first step or between steps. */
export interface TrainingPreparation {
  /** Tells events apart. */
  readonly type: "doing";
  /** What, in words. */
  readonly what: string;
  /** How much of it is done, 0 to 1, if known. */
  readonly share?: number | undefined;
  /** Progress of the whole run, once its length is known. */
  readonly pace?: Pace | undefined;
}

/** Sent before class images are drawn, and again once the time is known. */
export interface TrainingClassImages {
  /** Tells events apart. */
  readonly type: "class-images";
  /** How many are drawn. */
  readonly count: number;
  /** How many are reused from earlier runs. */
  readonly reused: number;
  /** The sampler. */
  readonly sampler: SamplerName;
  /** Sampler steps. */
  readonly steps: number;
  /** The device. */
  readonly device: Device;
  /** The number type of matrix products. */
  readonly precision: Precision;
  /** Estimated seconds for all of them; absent before the second step. */
  readonly seconds?: number | undefined;
}

/** A step is done. */
export interface TrainingStep {
  /** Tells events apart. */
  readonly type: "step";
  /** Steps done of {@link steps}, including those before resuming. */
  readonly step: number;
  /** Steps of the run. */
  readonly steps: number;
  /** The step's loss. */
  readonly loss: number;
  /** The step's learning rate. */
  readonly learningRate: number;
  /** Norm of the gradient before clipping. */
  readonly gradientNorm: number;
  /** Wall time of the step. */
  readonly seconds: number;
  /** Progress of the whole run, including class images and samples. */
  readonly pace: Pace;
}

/** A sample is drawn. */
export interface TrainingSample {
  /** Tells events apart. */
  readonly type: "sample";
  /** The training step after which it was drawn. */
  readonly step: number;
  /** The picture's file, a PNG with its recipe. */
  readonly file: string;
}

/** The adapter or network has been saved: at the end, or when training is interrupted. */
export interface TrainingSaved extends Saved {
  /** Tells events apart. */
  readonly type: "saved";
  /** Steps it was trained for. */
  readonly step: number;
  /** The folder of the run: its log, curve, samples and checkpoint. */
  readonly folder: string;
}

/** What training needs in memory, before anything is built. */
export interface TrainingMemory {
  /** Tells events apart. */
  readonly type: "plan";
  /** The plan. */
  readonly plan: TrainingPlan;
  /** The same in one line. */
  readonly message: string;
}

/** The events of training, in order. */
export type TrainingEvent =
  | TrainingMemory
  | TrainingWarning
  | TrainingPreparation
  | TrainingClassImages
  | TrainingStep
  | TrainingSample
  | TrainingSaved;

/** Where training runs, and how to stop it early. */
export interface TrainOptions {
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /**
   * The number type of matrix products: float32 by default, except for drawing class images, where it is `auto`. Trained
   * tensors, optimiser state and sums are always float32.
   */
  readonly precision?: PrecisionName | undefined;
  /** Bytes of memory to plan with: the machine's by default, or its container's limit. */
  readonly memory?: number | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** Stops training after the current step or within samples; the adapter so far is saved, then the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Trains an adapter, or with `full` a network, and writes it to `request.out`; the run's other files go to a folder beside it, with
 * `.run` in place of `.safetensors`.
 *
 * On the CPU the same request gives the same files, byte for byte, even if it was interrupted and resumed.
 *
 * @throws TillerError if a setting is wrong, the run to resume is a different one, or another run writes the same files;
 *   TillerError if a picture, the model or the disk fails, or training diverges.
 */
export async function* train(
  method: TrainingMethodName,
  request: TrainingRequest,
  options: TrainOptions = {},
): AsyncGenerator<TrainingEvent, void, undefined> {
  if (options.precision === "int8") {
    throw new TillerError("precision-unavailable", "int8 is for drawing, not for training: use --precision float32.");
  }
  const release = await takeRunFolder(fillSettings(method, request).out, trainingMethods[method].network);
  try {
    yield* learn(method, request, options);
  } finally {
    await release();
  }
}

async function* learn(
  method: TrainingMethodName,
  request: TrainingRequest,
  options: TrainOptions,
): AsyncGenerator<TrainingEvent, void, undefined> {
  const { signal } = options;
  const folder = runFolderOf(request.out);
  const checkpoint = join(folder, "checkpoint.safetensors");
  const begun = await exists(checkpoint);
  if (begun && !request.resume) {
    throw new TillerError(
      "run-exists",
      `${folder} already holds a run: continue it with --resume, or choose another --out, or remove the folder.`,
      { paths: [folder] },
    );
  }

  // A misspelt folder is refused before a model is downloaded.
  await pictureFolder(request.images);
  const { variant, config, prediction } = request;
  const model = await openModel(request.model, { variant, config, prediction, signal });
  if (model.denoiser.sees !== undefined) {
    throw new TillerError(
      "model-unsupported",
      `${request.model} is ${model.denoiser.sees === "picture" ? "an editing" : "an inpainting"} model; Tiller trains text-to-image models.`,
      { paths: [request.model] },
    );
  }
  const settings = fillSettings(method, request, model.training);
  refuseUnsuited(settings, model);
  for (const message of model.warnings ?? []) yield { type: "warning", message };
  const tokenizer = await loadTokenizer(model.tokenizerFolder, model.secondTokenizerFolder);
  const resolution = settings.resolution ?? model.defaults.height;
  if (resolution % model.defaults.sideMultiple !== 0) {
    throw new TillerError(
      "size-invalid",
      `resolution ${resolution} is not a multiple of ${model.defaults.sideMultiple}, as this model needs.`,
    );
  }
  yield { type: "doing", what: "reading pictures" };
  const found = await readPictures(settings.images, resolution, { signal });
  const { pictures, identity: pictureContents } = found;
  refuseWithoutText(pictures, settings);
  for (const message of found.warnings) yield { type: "warning", message };
  const trained = whatToTrain(settings, model);
  const token = new Map(trained.vectors > 0 ? [[settings.token, trained.vectors] as const] : []);
  const learned = new Map(model.text.embeddings.map(({ component }) => [component, token] as const));
  const texts = trainingTexts(model, tokenizer, learned);
  const size = { trained, resolution, rows: settings.batch * (settings.prior ? 2 : 1) };
  const compute = await resolveCompute(options, {
    parameters: largestNetwork(model),
    fits: (one) => planTraining(model, one, size, options.memory).fits,
  });
  const plan = planTraining(model, compute, size, options.memory);
  yield { type: "plan", plan, message: trainingPlanText(plan) };
  refuseShortTraining(request.model, model, plan, size);
  const untaught = trained.vectors > 0 ? textsWithoutToken(pictures, settings, texts.hasLearned) : undefined;
  if (untaught) yield { type: "warning", message: untaught };

  const load = {
    device: options.device,
    precision: options.precision,
    threads: options.threads,
    memory: options.memory,
    ...{ variant, config, prediction, signal },
  };
  const classFolder = settings.classImages ?? join(folder, "class");
  // A short run may use fewer class images than asked for.
  const drawn = settings.steps * settings.accumulate * settings.batch;
  let pace: RunPace | undefined;
  let drawnSoFar: Pace | undefined;
  if (settings.prior) {
    const { device, precision = "auto" } = options;
    const drawing = await drawingCompute(model, { device, precision });
    const { model: place, seed, ...drawnAs } = classPicturesOf(settings, resolution, drawing);
    const making = makeClassPictures(settings.model, {
      folder: classFolder,
      count: Math.min(settings.priorCount, drawn),
      prompt: settings.classPrompt,
      resolution: settings.resolution,
      seed,
      drawing: quickDrawing,
      // Pictures in a given folder count whoever drew them; those of a resumed run are its own.
      kept: settings.classImages === undefined ? await keptPictures(model, drawnAs) : undefined,
      drawnAs: begun || settings.classImages !== undefined ? undefined : { model: place, seed, ...drawnAs },
      load: { ...load, ...drawing },
      signal,
    });
    for await (const { done, of, which, plan } of making) {
      pace ??= runPace(settings, of);
      drawnSoFar = pace.drawn(done);
      if (plan) yield { type: "class-images", ...quickDrawing, ...drawing, ...plan };
      if (of > 0) yield doing(`drawing class ${which}`, done / of, drawnSoFar);
    }
  }
  pace ??= runPace(settings, 0);
  const ofClass = settings.prior ? await readPictures(classFolder, resolution, { signal }) : undefined;
  const classPictures = ofClass?.pictures ?? [];
  for (const message of ofClass?.warnings ?? []) yield { type: "warning", message: `class images: ${message}` };
  const strange = strangeClassPicture(classPictures, settings.classPrompt);
  if (strange) yield { type: "warning", message: strange };

  const { lowMemory, tiled } = plan;
  const engine = await startEngine({ ...compute, threads: options.threads, lowMemory });
  let draw: Sampler | undefined;
  try {
    yield { type: "doing", what: "building the networks", pace: drawnSoFar };
    const start =
      settings.initializer &&
      (await initialEmbeddings(model, tokenizer, {
        ...settings,
        initializer: settings.initializer,
        noun: settings.class,
      }));
    const values = await initialValues(model.components, trained, start ?? {}, settings.seed);
    const state = newAdamWState(dataOf(values));
    const identity = identityOf(settings, resolution, {
      pictures: pictures.map(({ name }) => name),
      pictureContents,
      // The run's own class images follow from its settings.
      classPictureContents: settings.classImages === undefined ? undefined : ofClass?.identity,
    });
    await readCheckpoint(checkpoint, values, state, identity);
    if (state.steps > settings.steps) {
      throw new TillerError(
        "resume-mismatch",
        `the run in ${folder} already has ${state.steps} steps, more than the ${settings.steps} asked for: ask for more with --steps, or choose another --out.`,
        { paths: [folder] },
      );
    }
    signal?.throwIfAborted();

    const sources: Source[] = [
      {
        purpose: "subject",
        pictures: pictures.map(({ planes, sizes, caption, repeats }) => ({
          planes,
          conditions: conditionsOf(model, sizes, resolution),
          prompt: caption ?? settings.prompt,
          repeats,
        })),
        flip: settings.flip,
        augmentation: settings.augmentation,
      },
      ...(settings.prior
        ? [
            {
              purpose: "class" as const,
              pictures: classPictures.map(({ planes, sizes, caption, repeats }) => ({
                planes,
                conditions: conditionsOf(model, sizes, resolution),
                prompt: caption ?? settings.classPrompt,
                repeats,
              })),
              flip: settings.flip,
              augmentation: false,
            },
          ]
        : []),
    ];
    const prompts = new Set(sources.flatMap((s) => s.pictures.map(({ prompt }) => prompt)));
    for (const prompt of prompts) {
      const { dropped } = texts.tokens(prompt);
      if (dropped !== "")
        yield { type: "warning", message: `a caption is too long for the text encoder; cut off: "${dropped}"` };
    }

    const building = buildObjective({ engine, model, settings, trained, values, sources, resolution, texts, tiled });
    const begins = pace.resumed(state.steps);
    const objective = yield* told(building, ({ done, of }) => doing("encoding pictures", done / of, begins));
    const log = await openLossLog(join(folder, "log.jsonl"), state.steps);
    const { network = false } = trainingMethods[method];
    const saveAs = (out: string): Promise<Saved> =>
      saveTrained(out, model, { network, trained, token: settings.token }, values, metadataOf(settings, model, state));
    const save = async (): Promise<TrainingEvent> => {
      // Saved first, because it refuses what diverged.
      const saved = await saveAs(settings.out);
      await writeCheckpoint(checkpoint, values, state, identity);
      await log.draw(join(folder, "loss.svg"));
      return { type: "saved", step: state.steps, folder, ...saved };
    };

    const optimising = { ...settings, ...(await textSide(model, settings)) };
    let began = performance.now();
    for await (const done of optimise(values, state, objective, optimising)) {
      const seconds = (performance.now() - began) / 1000;
      await log.add({ ...done, seconds: Number(seconds.toFixed(3)) });
      yield { type: "step", ...done, steps: settings.steps, seconds, pace: pace.trained(done.step) };
      if (signal?.aborted) {
        yield await save();
        throw signal.reason;
      }
      const sampling = settings.sampleEvery !== undefined && done.step % settings.sampleEvery === 0;
      // Also before samples, which take long and may fail.
      if (sampling || (done.step % settings.checkpointEvery === 0 && done.step < settings.steps)) {
        await writeCheckpoint(checkpoint, values, state, identity);
        await log.draw(join(folder, "loss.svg"));
      }
      if (sampling) {
        const saved = await saveAs(join(folder, network ? "latest" : "latest.safetensors"));
        draw ??= sampler(settings, join(folder, "samples"), resolution, load);
        yield* samples(draw.draw(saved, done.step), done.step, pace, signal);
        if (signal?.aborted) {
          yield await save();
          throw signal.reason;
        }
      }
      began = performance.now();
    }
    yield await save();
  } finally {
    await draw?.close();
    await engine.close();
  }
}

/** Yields samples as they are drawn; none once training is interrupted. */
async function* samples(
  drawing: AsyncGenerator<void, string[], undefined>,
  step: number,
  pace: RunPace,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainingEvent, void, undefined> {
  let done = 0;
  try {
    const drawn = () => doing("drawing samples", undefined, pace.sampled(step, ++done));
    for (const file of yield* told(drawing, drawn)) yield { type: "sample", step, file };
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

const doing = (what: string, share: number | undefined, pace: Pace): TrainingEvent => ({
  type: "doing",
  what,
  share,
  pace,
});

/** What the denoiser is told of a picture: the file's size, where the square was cut, and the square's side. */
const conditionsOf = ({ denoiser }: Model, { original, crop }: TrainingPicture["sizes"], side: number) =>
  denoiser.conditions?.({ width: side, height: side, originalSize: original, crop }, "cond");

/** @throws TillerError if the model does not support a training option. */
function refuseUnsuited({ recipe, vectors, textEncoder, snrGamma }: TrainingSettings, model: Model): void {
  const refuse = (what: string): never => {
    throw new TillerError("training-unsuited", `${model.name} is a ${model.family} model: ${what}.`);
  };
  if (model.text.embeddings.length === 0) {
    if (vectors > 0) refuse(`its text encoder learns no tokens, which ${recipe} needs; use dreambooth`);
    if (textEncoder) refuse("its text encoder is not CLIP and is not trained; leave --text-encoder out");
  }
  if (snrGamma !== undefined && model.schedule.prediction === "flow_prediction") {
    refuse("min-SNR weighting is not defined for flows; leave --snr-gamma out");
  }
}

/** @throws TillerError naming the first picture without a text, if the method needs captions. */
function refuseWithoutText(pictures: readonly TrainingPicture[], { prompt, recipe }: TrainingSettings): void {
  const bare =
    prompt === "" && trainingMethods[recipe].prompt === ""
      ? pictures.find(({ caption }) => caption === undefined)
      : undefined;
  if (!bare) return;
  throw new TillerError(
    "text-missing",
    `${bare.file} has no caption, which ${recipe} needs: write it into a .txt file beside it, or give --prompt for such pictures.`,
    { paths: [bare.file] },
  );
}

function whatToTrain(settings: TrainingSettings, model: Model): Trained {
  const { lora, matrices, network } = trainingMethods[settings.recipe];
  const encoders = settings.textEncoder ? model.text.embeddings.map(({ component }) => component) : [];
  const always = trainedComponents(model);
  return {
    lowRank: new Map(lora ? [...always, ...encoders].map((name) => [name, projections(model, name)]) : []),
    rank: settings.rank,
    alpha: settings.alpha,
    matrices: network ? networkTensors(model) : matrices ? textMatrices(model) : new Map(),
    vectors: settings.vectors,
  };
}

/** The settings that affect a run's class images. */
function classPicturesOf(
  { model, variant, config, prediction, classPrompt, seed }: TrainingSettings,
  resolution: number,
  { device, precision }: Compute,
) {
  const computed = { engine: targets[device].engine, precision };
  return {
    model: placeOf(model),
    ...{ variant, config, prediction, classPrompt, seed, resolution },
    ...{ ...quickDrawing, ...computed },
  };
}

/** The settings that affect a run's numbers. */
function identityOf(settings: TrainingSettings, resolution: number, contents: Readonly<Record<string, unknown>>) {
  const { out, resume, checkpointEvery, sampleEvery, samplePrompts, images, classImages, schedule, steps, ...rest } =
    settings;
  return {
    ...rest,
    model: placeOf(settings.model),
    resolution,
    ...contents,
    schedule,
    // A learning rate that is constant to the end does not depend on the run's length, so the run may be extended.
    steps: schedule === "constant" && (rest.textUntil ?? 1) === 1 ? undefined : steps,
  };
}

/** The metadata of a file: how it was made. The same in repeated runs. */
function metadataOf(settings: TrainingSettings, model: Model, { steps }: AdamWState): Record<string, string> {
  const { recipe, token, prompt, learningRate, batch, accumulate, seed } = settings;
  const named = { token: token || undefined, class: settings.class || undefined, prompt: prompt || undefined };
  const rest = { ...named, steps, learningRate, batch, accumulate, seed };
  return madeBy(recipe, { model: model.name, ...rest });
}
