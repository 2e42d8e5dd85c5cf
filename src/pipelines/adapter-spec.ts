/** An adapter as a person writes it: `FILE`, or `FILE:strength`. */
import { TillerError } from "../errors/index.ts";

/** An adapter's file and its strength. */
export interface AdapterChoice {
  /** A file or a folder. */
  readonly file: string;
  /** 1 (the default) is the adapter as trained, 0 leaves it out, negative values invert it. */
  readonly strength?: number | undefined;
}

/** An adapter as text (`cat.safetensors`, `cat.safetensors:0.8`), or as an object with file and strength. */
export type AdapterSpec = string | AdapterChoice;

const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * Splits at the last colon if a number follows it: `C:\\cat.safetensors` is a file, and `cat.safetensors:-0.5` has a strength.
 * A file whose own name ends in a colon and a number needs an explicit strength: `a:0.5:1`.
 *
 * @throws TillerError if no file is named, or if what follows the colon after a weights file is not a number.
 */
export function parseAdapter(text: string): AdapterChoice {
  const colon = text.lastIndexOf(":");
  const file = colon < 0 ? text : text.slice(0, colon);
  const strength = colon < 0 ? "" : text.slice(colon + 1);
  if (file === "")
    throw new TillerError(
      "setting-invalid",
      `${text || '""'} names no adapter file: write FILE, or FILE:0.8 for a strength.`,
    );
  if (number.test(strength) && Number.isFinite(Number(strength))) return { file, strength: Number(strength) };
  if (colon >= 0 && /\.(safetensors|bin|pt|ckpt)$/i.test(file)) {
    throw new TillerError("setting-invalid", `${text} has a strength that is not a number: write ${file}:0.8.`, {
      paths: [file],
    });
  }
  return { file: text };
}
