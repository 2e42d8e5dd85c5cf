/** Rounds halves to the even neighbour, as NumPy and Python do. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** How many of the steps come before a share of them, 0 to 1, is done. Rounding error in a share must not count as a step. */
export const stepsBefore = (share: number, steps: number): number => Math.ceil(steps * share - 1e-9);
