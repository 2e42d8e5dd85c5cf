/** Subject and text fidelity of folders of pictures. */
import { exists, join } from "#bytes";
import { readPixels } from "#images";
import { embedded } from "../families/embedded.ts";
import type { DownloadProgress } from "../hub/options.ts";
import { decoded, onlyPictures, pictureFolder, pictureWarnings } from "../images/folder.ts";
import type { Pixels } from "../images/pixels.ts";
import { type DeviceName, resolveDevice, startEngine } from "../runtime/index.ts";
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

/** What is measured, and against what. */
export interface EvaluationRequest {
  /** The folder of pictures to measure. */
  readonly images: string;
  /** The folder of the subject's own pictures. */
  readonly references: string;
  /**
   * A file with the pictures' texts: a JSON object by their names, or a line for each in the order of their names. Without
   * it, texts are in `.txt` files beside the pictures, or in their recipes.
   */
  readonly prompts?: string | undefined;
  /** The text of a picture that has none. */
  readonly prompt?: string | undefined;
  /** A word that texts are measured without: the subject's token, which CLIP does not know. */
  readonly token?: string | undefined;
  /**
   * A CLIP in Transformers' form: its folder, or its hub id, which is downloaded; the embedded one by default, which knows the
   * embedded world alone.
   */
  readonly clip?: string | undefined;
  /** The ViT, likewise. */
  readonly dino?: string | undefined;
  /** How pictures are prepared for the encoders; `dreambooth` by default. */
  readonly protocol?: EvaluationProtocol | undefined;
  /** What computes: `auto` by default, which takes a GPU where one works. */
  readonly device?: DeviceName | undefined;
  /** Threads of one operator; by default one for each core. */
  readonly threads?: number | undefined;
  /** Stops before the next picture by throwing its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told as an encoder is downloaded; before its first byte comes, how much there is. */
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
}

/** What measures, and on what. */
export type ScorerOptions = Pick<EvaluationRequest, "clip" | "dino" | "device" | "threads" | "onDownload">;

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
  // Every text is found before the first picture is measured.
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

/** Measures single pictures, its encoders kept loaded. */
export interface Scorer {
  /**
   * A picture's scores. References are encoded once a folder.
   *
   * @param file The picture.
   * @param references The folder of the subject's own pictures.
   * @param text What the picture was to show, without the subject's token.
   * @throws TillerError if a picture cannot be read.
   */
  score(file: string, references: string, text: string): Promise<Scores>;
  /** Gives back the encoders' memory. */
  close(): Promise<void>;
}

/**
 * Opens what measures single pictures as they come; {@link evaluate} measures a whole folder.
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
      // Another time they may be readable.
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

/** The encoders in an engine of their own, which does not stay when one of them cannot be opened. */
async function startEncoders({
  clip = embedded("clip"),
  dino = embedded("vit"),
  protocol = "dreambooth",
  device = "auto",
  threads,
  signal,
  onDownload: onProgress,
}: ScorerOptions & Pick<EvaluationRequest, "protocol" | "signal">) {
  const clipFolder = await encoderFolder(clip, { signal, onProgress });
  const dinoFolder = await encoderFolder(dino, { signal, onProgress });
  const engine = await startEngine({ device: await resolveDevice(device), threads });
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

/** CLIP folders bring their tokenizer; the embedded one's is the model's. */
export async function tokenizerOf(clip: string): Promise<string> {
  const own = (await exists(join(clip, "vocab.json"))) || (await exists(join(clip, "tokenizer.json")));
  return own ? clip : join(clip, "..", "tokenizer");
}
