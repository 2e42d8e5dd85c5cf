/** Round numbers along an axis. */

/**
 * The multiples of 1, 2 or 5 times a power of ten from `low` to `high`, with enough digits to be distinct.
 *
 * @param most About how many; at most one more.
 * @param least The least distance between ticks.
 */
export function ticks(low: number, high: number, most: number, least = 0): string[] {
  const rough = Math.max((high - low) / most, least);
  const power = Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((factor) => factor * 10 ** power >= rough) ?? 10;
  const step = factor * 10 ** power;
  const digits = Math.max(0, -(factor === 10 ? power + 1 : power));
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => ((first + i) * step).toFixed(digits));
}
