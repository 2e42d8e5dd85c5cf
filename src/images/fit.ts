/**
 * How a picture to start from gets its size, the one rule everywhere: it is scaled (Lanczos) to cover the size, and what sticks out
 * is cut off on both sides equally, like PIL's `ImageOps.fit`.
 */
import type { Pixels } from "./pixels.ts";
import { resized, type Size } from "./resample.ts";

/** A picture that covers a size, cut around its centre. A picture of that size stays as it is. */
export function fitted(picture: Pixels, to: Size): Pixels {
  const { width, height } = picture;
  if (width === to.width && height === to.height) return picture;
  const ratio = to.width / to.height;
  const cut = width / height >= ratio ? { width: ratio * height, height } : { width, height: width / ratio };
  return resized(picture, to, "lanczos", {
    across: { at: (width - cut.width) / 2, length: cut.width },
    down: { at: (height - cut.height) / 2, length: cut.height },
  });
}

/** A longer picture is cut to this many times its shorter side. */
const longest = 4;

/**
 * The size at which a picture is drawn when width or height is not given: the picture's shape, with about as many pixels as the
 * model's own size, in multiples of `sideMultiple`.
 *
 * @param given What is given; a side that is given is kept, and the other follows from it.
 */
export function sizeFor(
  { width, height }: Size,
  given: { readonly width?: number | undefined; readonly height?: number | undefined },
  model: Size & { readonly sideMultiple: number },
): Size {
  const ratio = Math.min(longest, Math.max(1 / longest, width / height));
  const side = (pixels: number) => model.sideMultiple * Math.max(1, Math.round(pixels / model.sideMultiple));
  if (given.width !== undefined) return { width: given.width, height: given.height ?? side(given.width / ratio) };
  if (given.height !== undefined) return { width: side(given.height * ratio), height: given.height };
  const area = model.width * model.height;
  return { width: side(Math.sqrt(area * ratio)), height: side(Math.sqrt(area / ratio)) };
}
