/** Subject and text fidelity of folders of pictures. */
import { readPixels } from "#images";
import { TillerError } from "../errors/index.ts";
import type { DownloadProgress } from "../hub/options.ts";
import { decoded, onlyPictures, pictureFolder, pictureWarnings } from "../images/folder.ts";
import { kept } from "../kept.ts";
import { type DeviceName, type PrecisionName, resolveCompute, startEngine } from "../runtime/index.ts";
import { type Evaluation, measure } from "./evaluate.ts";
import {
  type EncodedBy,
  type EncoderModels,
  type MetricName,
  metricLabels,
  type Scores,
  scoresOf,
  usualMetrics,
} from "./fidelity.ts";
import { encodePicture, encoderFolders, encodeText, openEncoders } from "./open-encoders.ts";
import type { EvaluationProtocol } from "./protocol.ts";
import { textsOf, withoutToken } from "./texts.ts";

export type { Evaluation, MeasuredPicture, MeasuredPrompt } from "./evaluate.ts";
export {
  type ChosenEncoderName,
  chosenEncoders,
  type EncoderModels,
  encodersOf,
  type MetricDescription,
  type MetricName,
  metricLabels,
  metricNames,
  metrics,
  type Scores,
  usualMetrics,
} from "./fidelity.ts";
export { type EvaluationProtocol, evaluationProtocols } from "./protocol.ts";
export { withoutToken } from "./texts.ts";

/**
 * A request to measure a folder of pictures, with a model for each encoder: its folder, or its hub id, which is downloaded. CLIP's
 * and the ViT's are by default the embedded ones, which only know the embedded world.
 */
export interface EvaluationRequest extends EncoderModels {
  /** The folder of pictures to measure. */
  readonly images: string;
  /** The folder of reference pictures of the subject; only metrics that compare with them need it. */
  readonly references?: string | undefined;
  /** What to measure: DINO, CLIP-I and CLIP-T by default. */
  readonly metrics?: readonly MetricName[] | undefined;
  /**
   * A file with the pictures' texts: a JSON object by their names, or one line each in the order of their names. Without it,
   * texts come from `.txt` files beside the pictures or from their recipes. A picture needs none if no metric compares with it.
   */
  readonly prompts?: string | undefined;
  /** The text for pictures without one. */
  readonly prompt?: string | undefined;
  /** The subject's token, left out of the texts because CLIP does not know it. */
  readonly token?: string | undefined;
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
export interface ScorerOptions
  extends EncoderModels,
    Pick<EvaluationRequest, "metrics" | "device" | "precision" | "threads" | "onDownload"> {}

/**
 * Measures a folder of pictures.
 *
 * @throws TillerError if a picture has no text, a metric has no reference pictures or no model; or if a folder or a picture
 *   cannot be read.
 */
export async function evaluate(
  request: EvaluationRequest,
  onPicture: (done: number, total: number) => void = () => {},
): Promise<Evaluation> {
  const { signal, token, metrics: names = usualMetrics } = request;
  const compared = metricLabels("subject", names);
  if (request.references === undefined && compared !== "")
    throw new TillerError(
      "option-missing",
      `--references is missing: name the folder of reference pictures for ${compared}, or choose other --metrics.`,
    );
  // All texts are read before the first picture is measured.
  const told = metricLabels("text", names) !== "";
  const found = await textsOf(told ? request : { ...request, prompt: request.prompt ?? "" });
  const pictures = found.pictures.map(({ file, text }) => ({
    file,
    text: token === undefined ? text : withoutToken(text, token),
  }));
  const references = compared === "" ? undefined : await pictureFolder(request.references!);
  const warnings = [...found.warnings, ...(references ? await pictureWarnings(onlyPictures(references)) : [])];
  const { engine, encoders } = await startEncoders(request);
  try {
    const measured = await measure(names, pictures, references ? decoded(references) : [], encoders, (done) => {
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
  const { metrics: names = usualMetrics } = options;
  const { engine, encoders } = await startEncoders(options);
  const folders = new Map<string, Promise<EncodedBy[]>>();
  const encodeFolder = async (folder: string) => {
    const features: EncodedBy[] = [];
    for await (const pixels of decoded(await pictureFolder(folder)))
      features.push(await encodePicture(encoders, pixels));
    return features;
  };
  const referencesIn = (folder: string) => kept(folders, folder, () => encodeFolder(folder));
  return {
    async score(file, references, text) {
      const subject = await referencesIn(references);
      const words = await encodeText(encoders, text);
      return scoresOf(names, await encodePicture(encoders, await readPixels(file)), subject, words);
    },
    close: async () => void (await engine.close()),
  };
}

/** Opens the encoders in an engine of their own, which is closed if one of them cannot be opened. */
async function startEncoders({
  metrics: names = usualMetrics,
  protocol = "dreambooth",
  device,
  precision,
  threads,
  signal,
  onDownload: onProgress,
  ...models
}: ScorerOptions & Pick<EvaluationRequest, "protocol" | "signal">) {
  const folders = await encoderFolders(names, models, { signal, onProgress });
  const engine = await startEngine({ ...(await resolveCompute({ device, precision })), threads });
  try {
    return { engine, encoders: await openEncoders(engine, names, folders, protocol) };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
