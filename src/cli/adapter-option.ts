/** `--adapter FILE[:strength]`. */
import { TillerError } from "../index.ts";
import type { AdapterChoice } from "./world.ts";

const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * Splits at the last colon if a number follows it, so that `C:\cat.safetensors` is a file and `cat.safetensors:-0.5` has a
 * strength. A lone letter before the colon is a drive.
 *
 * @throws TillerError if a weights file is followed by a colon and no number, or the name is missing.
 */
export function parseAdapter(text: string): AdapterChoice {
  const colon = text.lastIndexOf(":");
  const file = colon < 0 ? text : text.slice(0, colon);
  const tail = colon < 0 ? "" : text.slice(colon + 1);
  if (file === "")
    throw new TillerError(
      "option-invalid",
      `--adapter ${text || '""'} names no file: write --adapter FILE or FILE:0.8.`,
    );
  if (colon < 0 || /^[A-Za-z]$/.test(file)) return { file: text };
  if (number.test(tail) && Number.isFinite(Number(tail))) return { file, strength: Number(tail) };
  if (/\.(safetensors|bin|pt|ckpt)$/i.test(file)) {
    throw new TillerError(
      "option-invalid",
      `--adapter ${text}: the strength after the colon is not a number; write ${file}:0.8.`,
    );
  }
  return { file: text };
}
