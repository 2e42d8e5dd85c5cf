/** Measures how close pictures are to a subject's reference pictures and to their texts. */
import { basename } from "#bytes";
import { readPixels } from "#images";
import type { Pixels } from "../images/pixels.ts";
import type { ClipEncoder, PictureEncoder } from "./encoders.ts";
import type { Features, PictureFeatures } from "./features.ts";
import { meanScores, type Scores, scoresOf } from "./fidelity.ts";

/** One picture and its scores. */
export interface MeasuredPicture {
  /** The file's name, without its folder. */
  readonly file: string;
  /** The text it was measured against. */
  readonly text: string;
  /** By metric. */
  readonly scores: Scores;
}

/** The pictures of one text. */
export interface MeasuredPrompt {
  /** The text they were measured against. */
  readonly text: string;
  /** The words at its end that were truncated for CLIP. */
  readonly dropped?: string;
  /** Number of pictures. */
  readonly pictures: number;
  /** Means over them. */
  readonly scores: Scores;
}

/** The results for a folder of pictures. */
export interface Evaluation {
  /** The mean over prompts of the means over their pictures. */
  readonly scores: Scores;
  /** The scores of each text. */
  readonly prompts: readonly MeasuredPrompt[];
  /** The scores of each picture. */
  readonly pictures: readonly MeasuredPicture[];
  /** Warnings about pictures of the two folders that are left out, and texts without a picture. */
  readonly warnings: readonly string[];
}

/**
 * Measures each picture by every metric.
 *
 * @param onPicture Called after every picture.
 */
export async function measure(
  pictures: readonly { readonly file: string; readonly text: string }[],
  references: Iterable<Pixels> | AsyncIterable<Pixels>,
  { clip, dino }: { readonly clip: ClipEncoder; readonly dino: PictureEncoder },
  onPicture: (done: number) => void = () => {},
): Promise<Omit<Evaluation, "warnings">> {
  const featuresOf = async (pixels: Pixels): Promise<PictureFeatures> => ({
    clip: (await clip.pictures([pixels]))[0]!,
    dino: (await dino.pictures([pixels]))[0]!,
  });
  const known = [];
  for await (const reference of references) known.push(await featuresOf(reference));
  const texts = new Map<string, Features>();
  const byText = new Map<string, MeasuredPicture[]>();
  for (const [i, { file, text }] of pictures.entries()) {
    const of = byText.get(text) ?? [];
    const words = texts.get(text) ?? (await clip.texts([text]))[0]!;
    texts.set(text, words);
    of.push({ file: basename(file), text, scores: scoresOf(await featuresOf(await readPixels(file)), known, words) });
    byText.set(text, of);
    onPicture(i + 1);
  }
  const prompts = [...byText].map(([text, those]): MeasuredPrompt => {
    const dropped = clip.dropped(text);
    return {
      text,
      ...(dropped !== "" && { dropped }),
      pictures: those.length,
      scores: meanScores(those.map(({ scores }) => scores)),
    };
  });
  return { scores: meanScores(prompts.map(({ scores }) => scores)), prompts, pictures: [...byText.values()].flat() };
}
