/** The sizes and the crop that SDXL is conditioned on. */
import type { RowText } from "../../guidance/guidance.ts";
import type { SizeConditions } from "../family.ts";

/**
 * The six numbers of a row, heights first: original size, crop, target size. By default the picture's own size, uncropped. Each
 * negative one, for rows with the null text, is by default that of the others.
 */
export function timeIds(sizes: SizeConditions, text: RowText): { readonly time_ids: readonly number[] } {
  const { width, height } = sizes;
  const negative = text === "null" ? sizes : ({} as Partial<SizeConditions>);
  const original = negative.negativeOriginalSize ?? sizes.originalSize ?? { width, height };
  const crop = negative.negativeCrop ?? sizes.crop ?? { left: 0, top: 0 };
  const target = negative.negativeTargetSize ?? sizes.targetSize ?? { width, height };
  return { time_ids: [original.height, original.width, crop.top, crop.left, target.height, target.width] };
}
