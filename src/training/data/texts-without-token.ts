/** Finds pictures whose text lacks the learned token: its gradient would be 0, so nothing is learned from them. */
import { TillerError } from "../../errors/index.ts";
import type { TrainingPicture } from "./pictures.ts";

/**
 * A warning about the pictures whose text lacks the token; undefined if there are none. `has` tests a text for it.
 *
 * @throws TillerError if every text lacks it.
 */
export function textsWithoutToken(
  pictures: readonly Pick<TrainingPicture, "file" | "caption">[],
  { token, prompt, images }: { token: string; prompt: string; images: string },
  has: (text: string) => boolean,
): string | undefined {
  const without = pictures.filter(({ caption }) => !has(caption ?? prompt));
  if (without.length === 0) return undefined;
  if (without.length < pictures.length) {
    return `${without.length} of ${pictures.length} pictures do not train ${token}, because their text lacks it, such as that of ${without[0]!.file}`;
  }
  if (pictures.every(({ caption }) => caption === undefined)) {
    throw new TillerError(
      "caption-without-token",
      `the prompt "${prompt}" does not contain ${token}, so it would not be learned: add {token} to it.`,
    );
  }
  throw new TillerError(
    "caption-without-token",
    `the captions in ${images} do not contain ${token}, so it would not be learned: add it to them.`,
    { paths: [images] },
  );
}
