/** Limits the work of a request, in megapixel-steps: pictures x steps x megapixels. Time is proportional to each factor. */
import { TillerError } from "../index.ts";

/** Megapixel-steps: some 1,500 pictures of 512 x 512 in 50 steps. */
export const usualMostWork = 20_000;

export interface Drawing {
  readonly count: number;
  readonly steps?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/**
 * Steps and sizes left to the model count as the minimum here; they are known once the model is open.
 *
 * @throws TillerError `work-too-large` if the total exceeds `most` megapixel-steps.
 */
export function refuseTooMuch(drawings: readonly Drawing[], most: number): void {
  const work = drawings.reduce(
    (sum, { count, steps = 1, width = 8, height = 8 }) => sum + count * steps * width * height * 1e-6,
    0,
  );
  if (work <= most) return;
  const pictures = drawings.reduce((sum, { count }) => sum + count, 0);
  throw new TillerError(
    "work-too-large",
    `${pictures === 1 ? "the picture" : `the ${pictures} pictures`} would take ${Math.ceil(work)} megapixel-steps (pictures x steps x megapixels), and the limit is ${most}: ask for fewer pictures, fewer steps or a smaller size, or have the server started with a larger --max-work.`,
  );
}
