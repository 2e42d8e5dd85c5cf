/** Colours as hue (0 to 360), saturation and lightness (0 to 1). */

export interface Colour {
  readonly h: number;
  readonly s: number;
  readonly l: number;
}

export const colour = (h: number, s: number, l: number): Colour => ({ h, s, l });

const limited = (value: number): number => Math.min(1, Math.max(0, value));

/** `#rrggbb`. */
export function css({ h, s, l }: Colour): string {
  const [saturation, lightness] = [limited(s), limited(l)];
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number): string => {
    const k = (n + (((h % 360) + 360) % 360) / 30) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}

export const lighter = ({ h, s, l }: Colour, by: number): Colour => ({ h, s, l: limited(l + by) });
export const darker = (c: Colour, by: number): Colour => lighter(c, -by);

/** The outline colour for a shape of this colour. */
export const outline = ({ h, s, l }: Colour): string => css({ h, s: s * 0.9, l: l * 0.42 });

export const white = colour(40, 0.3, 0.97);
export const black = colour(230, 0.15, 0.14);
