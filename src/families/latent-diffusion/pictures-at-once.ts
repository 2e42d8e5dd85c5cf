/** As many pictures as make up the work of two rows at 512x512, at most 16. */
export const picturesAtOnce = (rows: number, height: number, width: number): number =>
  Math.min(16, Math.max(1, Math.floor((2 * 64 * 64) / (rows * height * width))));
