/** Measures and draws text with DejaVu Sans, which ships with Tiller, so that sheets look the same everywhere. */

import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";
import { join, packageFile } from "#bytes";

/** One line of text; `x` and `y` are its anchor on the baseline, in pixels. */
export interface Line {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  /** Font size in pixels. */
  readonly size: number;
  readonly colour: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
}

const family = "DejaVu Sans";

/** The width of the widest of these texts at a font size, in pixels. */
export function measure(texts: readonly string[], size: number, bold = false): number {
  const lines = texts.map((text) => ({ text, x: 0, y: 0, size, bold, colour: "#000" }));
  return new Resvg(svg(lines, 1, 1), options()).getBBox()?.width ?? 0;
}

/** A transparent PNG of that size with the lines on it. */
export function drawLines(lines: readonly Line[], width: number, height: number): Uint8Array {
  return new Resvg(svg(lines, width, height), options()).render().asPng();
}

/**
 * Breaks a text at spaces into lines no wider than `width`; beyond `most` lines it is cut with an ellipsis.
 *
 * All letters count as equally wide, with some margin: good enough for a heading.
 */
export function breakLines(text: string, width: number, size: number, most: number, bold = false): string[] {
  const flat = text.replace(/\s+/g, " ").trim();
  const whole = measure([flat], size, bold);
  if (whole <= width) return flat === "" ? [] : [flat];
  const perLine = Math.max(4, Math.floor((width / whole) * flat.length * 0.94));
  const lines: string[] = [];
  let rest = flat;
  while (rest.length > perLine && lines.length < most - 1) {
    const space = rest.lastIndexOf(" ", perLine);
    const end = space > perLine / 2 ? space : perLine;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest.length > perLine ? `${rest.slice(0, perLine - 1).trimEnd()}…` : rest];
}

function options(): ResvgRenderOptions {
  const folder = packageFile("fonts");
  return {
    font: {
      fontFiles: [join(folder, "DejaVuSans.ttf"), join(folder, "DejaVuSans-Bold.ttf")],
      loadSystemFonts: false,
      defaultFontFamily: family,
    },
  };
}

function svg(lines: readonly Line[], width: number, height: number): string {
  const texts = lines.map(
    ({ text, x, y, size, colour, anchor = "start", bold = false }) =>
      `<text x="${x}" y="${y}" font-size="${size}" fill="${colour}" text-anchor="${anchor}"` +
      `${bold ? ' font-weight="bold"' : ""}>${escaped(text)}</text>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${family}">` +
    `${texts.join("")}</svg>`
  );
}

/** Prompts may contain characters that XML forbids: control characters, lone surrogates. */
function escaped(text: string): string {
  const valid = Buffer.from(text, "utf8").toString("utf8");
  return valid
    .replace(/[\p{Cc}\ufffe\uffff]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;");
}
