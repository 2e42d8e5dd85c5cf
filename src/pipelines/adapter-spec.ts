/** An adapter as a person writes it: `FILE`, `FILE:strength`, or `FILE:component=strength,…`. */
import { TillerError } from "../errors/index.ts";
import type { AdapterStrength } from "../recipe/adapter-strength.ts";

/** An adapter's file and its strength. */
export interface AdapterChoice {
  /** A file or a folder. */
  readonly file: string;
  /** 1 by default; by component, those not named have 1. */
  readonly strength?: AdapterStrength | undefined;
}

/**
 * An adapter as text (`cat.safetensors`, `cat.safetensors:0.8`, `cat.safetensors:unet=0.8,text_encoder=0.5`), or as an object
 * with file and strength.
 */
export type AdapterSpec = string | AdapterChoice;

const number = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const one = new RegExp(`^${number}$`, "i");
const byComponent = new RegExp(`^(\\w+=${number})(,\\w+=${number})*$`, "i");

/**
 * Splits at the last colon if a strength follows it: `C:\\cat.safetensors` is a file, and `cat.safetensors:-0.5` has a strength.
 * A file whose own name ends in a colon and a strength needs an explicit one: `a:0.5:1`.
 *
 * @throws TillerError if no file is named, or if what follows the colon after a weights file is not a strength.
 */
export function parseAdapter(text: string): AdapterChoice {
  const colon = text.lastIndexOf(":");
  const file = colon < 0 ? text : text.slice(0, colon);
  const strength = colon < 0 ? undefined : strengthOf(text.slice(colon + 1));
  if (file === "")
    throw new TillerError(
      "setting-invalid",
      `${text || '""'} names no adapter file: write FILE, or FILE:0.8 for a strength.`,
    );
  if (strength !== undefined) return { file, strength };
  if (colon >= 0 && /\.(safetensors|bin|pt|ckpt)$/i.test(file)) {
    throw new TillerError(
      "setting-invalid",
      `${text} has a strength that is not a number: write ${file}:0.8, or ${file}:unet=0.8,text_encoder=0.5 by component.`,
      { paths: [file] },
    );
  }
  return { file: text };
}

/** Undefined if the text is no strength. */
function strengthOf(text: string): AdapterStrength | undefined {
  if (one.test(text) && Number.isFinite(Number(text))) return Number(text);
  if (!byComponent.test(text)) return undefined;
  const given = text.split(",").map((pair) => pair.split("=") as [string, string]);
  const strengths = Object.fromEntries(given.map(([component, value]) => [component, Number(value)]));
  const isClear = Object.keys(strengths).length === given.length && Object.values(strengths).every(Number.isFinite);
  return isClear ? strengths : undefined;
}
