/** Measures how close pictures are to a subject's reference pictures and to their texts. */
import { basename } from "#bytes";
import { readPixels } from "#images";
import type { Pixels } from "../images/pixels.ts";
import { type EncodedBy, type MetricName, meanScores, metricLabels, type Scores, scoresOf } from "./fidelity.ts";
import { type Encoders, encodePicture, encodeText } from "./open-encoders.ts";

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
  /** The words at its end that were truncated for the encoder with the least room. */
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
 * Measures each picture by the metrics.
 *
 * @param onPicture Called after every picture.
 */
export async function measure(
  names: readonly MetricName[],
  pictures: readonly { readonly file: string; readonly text: string }[],
  references: Iterable<Pixels> | AsyncIterable<Pixels>,
  encoders: Encoders,
  onPicture: (done: number) => void = () => {},
): Promise<Omit<Evaluation, "warnings">> {
  const told = metricLabels("text", names) !== "";
  const known: EncodedBy[] = [];
  for await (const reference of references) known.push(await encodePicture(encoders, reference));
  const texts = new Map<string, EncodedBy>();
  const byText = new Map<string, MeasuredPicture[]>();
  for (const [i, { file, text }] of pictures.entries()) {
    const of = byText.get(text) ?? [];
    const words = texts.get(text) ?? (told ? await encodeText(encoders, text) : {});
    texts.set(text, words);
    const features = await encodePicture(encoders, await readPixels(file));
    of.push({ file: basename(file), text, scores: scoresOf(names, features, known, words) });
    byText.set(text, of);
    onPicture(i + 1);
  }
  const prompts = [...byText].map(([text, those]): MeasuredPrompt => {
    const dropped = (told ? [...encoders.values()] : [])
      .map((encoder) => encoder.dropped?.(text) ?? "")
      .reduce((longest, words) => (words.length > longest.length ? words : longest), "");
    return {
      text,
      ...(dropped !== "" && { dropped }),
      pictures: those.length,
      scores: meanScores(those.map(({ scores }) => scores)),
    };
  });
  return { scores: meanScores(prompts.map(({ scores }) => scores)), prompts, pictures: [...byText.values()].flat() };
}
