/** Subject and text fidelity of folders of pictures. */
import { exists, join } from "#bytes";
import { readPixels } from "#images";
import { embedded } from "../families/embedded.ts";
import { readFolder } from "../images/folder.ts";
import type { Pixels } from "../images/pixels.ts";
import { type DeviceName, resolveDevice, startEngine } from "../runtime/index.ts";
import { openClip, openViT, type Protocol } from "./encoders.ts";
import { type Evaluation, evaluate } from "./evaluate.ts";
import type { PictureFeatures } from "./features.ts";
import { type Scores, scoresOf } from "./fidelity.ts";
import { textsOf, withoutToken } from "./texts.ts";

export { type Protocol, protocols } from "./encoders.ts";
export type { Evaluation, MeasuredPicture } from "./evaluate.ts";
export { type MetricName, metricLabels, metricNames, metrics, type Scores } from "./fidelity.ts";
export type { Metric } from "./metric.ts";
export { withoutToken } from "./texts.ts";

export interface EvaluationRequest {
  /** The folder of pictures to measure. */
  readonly images: string;
  /** The folder of the subject's own pictures. */
  readonly references: string;
  /** A file with the pictures' texts, see `textsOf`; without it they are in `.txt` files beside the pictures, or in recipes. */
  readonly prompts?: string | undefined;
  /** The text of a picture that has none. */
  readonly prompt?: string | undefined;
  /** A word that texts are measured without: the subject's token, which CLIP does not know. */
  readonly token?: string | undefined;
  /** Folders of a CLIP and a ViT in Transformers' form; the embedded ones by default. */
  readonly clip?: string | undefined;
  readonly dino?: string | undefined;
  /** How pictures are prepared for the encoders; `dreambooth` by default. */
  readonly protocol?: Protocol | undefined;
  readonly device?: DeviceName | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What measures, and on what. */
export type ScoringOptions = Pick<EvaluationRequest, "clip" | "dino" | "device" | "threads">;

/**
 * Measures a folder of pictures.
 *
 * @throws TillerError if a picture has no text; or if a folder or a picture cannot be read.
 */
export async function evaluateFolder(
  request: EvaluationRequest,
  onPicture: (done: number, total: number) => void = () => {},
): Promise<Evaluation> {
  const { signal, token } = request;
  // Every text is found before the first picture is measured.
  const pictures = (await textsOf(request)).map(({ file, text }) => ({
    file,
    text: token === undefined ? text : withoutToken(text, token),
  }));
  const references = (await readFolder(request.references)).map(({ pixels }) => pixels);
  const { engine, ...encoders } = await startEncoders(request);
  try {
    return await evaluate(pictures, references, encoders, (done) => {
      signal?.throwIfAborted();
      onPicture(done, pictures.length);
    });
  } finally {
    await engine.close();
  }
}

/**
 * Scores of single picture files, the encoders kept loaded. References are encoded once a folder.
 *
 * @throws TillerError if the device does not work, an encoder cannot be opened or, later, a picture cannot be read.
 */
export async function startScoring(options: ScoringOptions): Promise<{
  score(file: string, references: string, text: string): Promise<Scores>;
  close(): Promise<void>;
}> {
  const { engine, clip, dino } = await startEncoders(options);
  const featuresOf = async (pixels: Pixels): Promise<PictureFeatures> => ({
    clip: (await clip.pictures([pixels]))[0]!,
    dino: (await dino.pictures([pixels]))[0]!,
  });
  const folders = new Map<string, Promise<PictureFeatures[]>>();
  const encodeFolder = async (folder: string) => {
    const features: PictureFeatures[] = [];
    for (const { pixels } of await readFolder(folder)) features.push(await featuresOf(pixels));
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
}: ScoringOptions & Pick<EvaluationRequest, "protocol">) {
  const engine = await startEngine({ device: await resolveDevice(device), threads });
  try {
    return {
      engine,
      clip: await openClip(engine, clip, await tokenizerOf(clip), protocol),
      dino: await openViT(engine, dino, protocol),
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
