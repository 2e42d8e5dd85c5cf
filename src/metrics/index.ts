/** Subject and text fidelity of folders of pictures. */
import { exists, join } from "#bytes";
import { readPixels } from "#images";
import { embedded } from "../families/embedded.ts";
import type { DownloadProgress } from "../hub/options.ts";
import { decoded, onlyPictures, pictureFolder, pictureWarnings } from "../images/folder.ts";
import type { Pixels } from "../images/pixels.ts";
import { type DeviceName, type PrecisionName, resolveCompute, startEngine } from "../runtime/index.ts";
import { encoderFolder } from "./encoder-folder.ts";
import { type EvaluationProtocol, openClip, openViT } from "./encoders.ts";
import { type Evaluation, measure } from "./evaluate.ts";
import type { PictureFeatures } from "./features.ts";
import { type Scores, scoresOf } from "./fidelity.ts";
import { textsOf, withoutToken } from "./texts.ts";

export { type EvaluationProtocol, evaluationProtocols } from "./encoders.ts";
export type { Evaluation, MeasuredPicture, MeasuredPrompt } from "./evaluate.ts";
export {
  type MetricDescription,
  type MetricName,
  metricLabels,
  metricNames,
  metrics,
  type Scores,
} from "./fidelity.ts";
export { withoutToken } from "./texts.ts";

/** A request to measure a folder of pictures. */
export interface EvaluationRequest {
  /** The folder of pictures to measure. */
  readonly images: string;
  /** The folder of reference pictures of the subject. */
  readonly references: string;
  /**
   * A file with the pictures' texts: a JSON object by their names, or one line each in the order of their names. Without it,
   * texts come from `.txt` files beside the pictures or from their recipes.
   */
  readonly prompts?: string | undefined;
  /** The text for pictures without one. */
  readonly prompt?: string | undefined;
  /** The subject's token, left out of the texts because CLIP does not know it. */
  readonly token?: string | undefined;
  /**
   * A CLIP in Transformers' format: its folder, or its hub id, which is downloaded; the embedded one by default, which only knows
   * the embedded world.
   */
  readonly clip?: string | undefined;
  /** A ViT, likewise. */
  readonly dino?: string | undefined;
  /** How pictures are preprocessed for the encoders; `dreambooth` by default. */
  readonly protocol?: EvaluationProtocol | undefined;
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /** Number type of matrix products: float32 by default. */
  readonly precision?: PrecisionName | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** Aborts before the next picture; the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Called while an encoder is downloaded; first with its size, before any byte is received. */
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
}

/** The options for encoders and device. */
export type ScorerOptions = Pick<
  EvaluationRequest,
  "clip" | "dino" | "device" | "precision" | "threads" | "onDownload"
>;

/**
 * Measures a folder of pictures.
 *
 * @throws TillerError if a picture has no text; or if a folder or a picture cannot be read.
 */
export async function evaluate(
  request: EvaluationRequest,
  onPicture: (done: number, total: number) => void = () => {},
): Promise<Evaluation> {
  const { signal, token } = request;
  // All texts are read before the first picture is measured.
  const found = await textsOf(request);
  const pictures = found.pictures.map(({ file, text }) => ({
    file,
    text: token === undefined ? text : withoutToken(text, token),
  }));
  const references = await pictureFolder(request.references);
  const warnings = [...found.warnings, ...(await pictureWarnings(onlyPictures(references)))];
  const { engine, ...encoders } = await startEncoders(request);
  try {
    const measured = await measure(pictures, decoded(references), encoders, (done) => {
      signal?.throwIfAborted();
      onPicture(done, pictures.length);
    });
    return { ...measured, warnings };
  } finally {
    await engine.close();
  }
}

/** Measures single pictures, keeping its encoders loaded. */
export interface Scorer {
  /**
   * A picture's scores. References are encoded once per folder.
   *
   * @param file The picture.
   * @param references The folder of reference pictures of the subject.
   * @param text The picture's prompt, without the subject's token.
   * @throws TillerError if a picture cannot be read.
   */
  score(file: string, references: string, text: string): Promise<Scores>;
  /** Frees the encoders' memory. */
  close(): Promise<void>;
}

/**
 * Opens a scorer for single pictures; {@link evaluate} measures a whole folder.
 *
 * @throws TillerError if the device does not work or an encoder cannot be opened.
 */
export async function openScorer(options: ScorerOptions = {}): Promise<Scorer> {
  const { engine, clip, dino } = await startEncoders(options);
  const featuresOf = async (pixels: Pixels): Promise<PictureFeatures> => ({
    clip: (await clip.pictures([pixels]))[0]!,
    dino: (await dino.pictures([pixels]))[0]!,
  });
  const folders = new Map<string, Promise<PictureFeatures[]>>();
  const encodeFolder = async (folder: string) => {
    const features: PictureFeatures[] = [];
    for await (const pixels of decoded(await pictureFolder(folder))) features.push(await featuresOf(pixels));
    return features;
  };
  const referencesIn = (folder: string) => {
    let features = folders.get(folder);
    if (!features) {
      features = encodeFolder(folder);
      folders.set(folder, features);
      // A later attempt may succeed.
      features.catch(() => folders.delete(folder));
    }
    return features;
  };
  return {
    async score(file, references, text) {
      const subject = await referencesIn(references);
      const [words] = await clip.texts([text]);
      return scoresOf(await featuresOf(await readPixels(file)), subject, words!);
    },
    close: async () => void (await engine.close()),
  };
}

/** Opens the encoders in an engine of their own, which is closed if one of them cannot be opened. */
async function startEncoders({
  clip = embedded("clip"),
  dino = embedded("vit"),
  protocol = "dreambooth",
  device,
  precision,
  threads,
  signal,
  onDownload: onProgress,
}: ScorerOptions & Pick<EvaluationRequest, "protocol" | "signal">) {
  const clipFolder = await encoderFolder(clip, { signal, onProgress });
  const dinoFolder = await encoderFolder(dino, { signal, onProgress });
  const engine = await startEngine({ ...(await resolveCompute({ device, precision })), threads });
  try {
    return {
      engine,
      clip: await openClip(engine, clipFolder, await tokenizerOf(clipFolder), protocol),
      dino: await openViT(engine, dinoFolder, protocol),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** CLIP folders contain their tokenizer; the embedded CLIP uses the model's. */
export async function tokenizerOf(clip: string): Promise<string> {
  const own = (await exists(join(clip, "vocab.json"))) || (await exists(join(clip, "tokenizer.json")));
  return own ? clip : join(clip, "..", "tokenizer");
}
