/** Pictures whose text lacks the learned token: they teach it nothing, its gradient is 0. */
import { TillerError } from "../../errors/index.ts";
import type { TrainingPicture } from "./pictures.ts";

/**
 * A sentence about the pictures whose text lacks the token; undefined if there are none. `has` says whether a text has it.
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
    return `${without.length} of ${pictures.length} pictures teach nothing of ${token}, which their text lacks, such as that of ${without[0]!.file}`;
  }
  if (pictures.every(({ caption }) => caption === undefined)) {
    throw new TillerError(
      "caption-without-token",
      `the prompt "${prompt}" does not contain ${token}, so it would not be learned: put {token} into it.`,
    );
  }
  throw new TillerError(
    "caption-without-token",
    `the captions in ${images} do not contain ${token}, so it would not be learned: put it into them.`,
    { paths: [images] },
  );
}
