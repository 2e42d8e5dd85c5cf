/** How much of the fine-tuned model a row has: 1 is the fine-tuned model, 0 the pre-trained one, omega in between. */

/** One share for the whole model, or one by part: a component (`unet`), or a block of it (`up`). */
export type Share = number | SharesByPart;

export interface SharesByPart {
  readonly parts: Readonly<Record<string, number>>;
  /** Of all that belongs to none of the parts. */
  readonly rest: number;
}

/**
 * The share at a place of the model.
 *
 * @param names The parts that the place belongs to, the most specific first.
 */
export function shareAt(share: Share, names: readonly string[]): number {
  if (typeof share === "number") return share;
  const name = names.find((one) => Object.hasOwn(share.parts, one));
  return name === undefined ? share.rest : share.parts[name]!;
}

/** All numbers in a share. */
export const sharesIn = (share: Share): readonly number[] =>
  typeof share === "number" ? [share] : [...Object.values(share.parts), share.rest];
