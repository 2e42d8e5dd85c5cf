/** Lists and ranges: `5,7.5,10`, `0:1:0.1`, or both mixed. */
import { TillerError } from "../index.ts";
import { parseNumber, parseWhole } from "./values.ts";

/** More values than this on one axis are a typo. */
const mostValues = 10_000;

/**
 * The numbers of `a,b,c` and of `first:last[:step]`, including the last if a step falls on it, each number once. Steps are
 * computed in decimal, so 0:1:0.1 gives 0.3 and not 0.30000000000000004.
 *
 * @param parse Parses a number.
 * @throws TillerError naming `option`.
 */
export function parseNumbers(option: string, text: string, parse = parseNumber): number[] {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    if (part.trim() === "")
      throw new TillerError("option-invalid", `${option} ${text} has an empty entry in its list.`);
    for (const value of part.includes(":") ? parseRange(option, part, parse) : [parse(option, part.trim())]) {
      values.add(value === 0 ? 0 : value);
    }
    if (values.size > mostValues)
      throw new TillerError("option-invalid", `${option} ${text} has more than ${mostValues} values.`);
  }
  return [...values];
}

/** Like {@link parseNumbers}, for whole numbers in digits. */
export const parseWholes = (option: string, text: string): number[] => parseNumbers(option, text, parseWhole);

function parseRange(option: string, text: string, parse: typeof parseNumber): number[] {
  const parts = text.split(":").map((part) => part.trim());
  if (parts.length > 3)
    throw new TillerError(
      "option-invalid",
      `${option} ${text} is not a range: write first:last:step, such as 0:1:0.1.`,
    );
  const [first = 0, last = 0, step = 1] = parts.map((part) => parse(option, part));
  if (step === 0) throw new TillerError("option-invalid", `${option} ${text} has a step of 0.`);
  if ((last - first) * step < 0) {
    throw new TillerError("option-invalid", `${option} ${text} never ends: a step of ${step} leads away from ${last}.`);
  }
  if (first === last) return [first];
  const decimals = Math.max(...parts.map(decimalsOf));
  const unit = 10 ** decimals;
  const [from, to, by] = [first, last, step].map((value) => Math.round(value * unit)) as [number, number, number];
  const count = Math.floor((to - from) / by) + 1;
  if (count > mostValues)
    throw new TillerError("option-invalid", `${option} ${text} has more than ${mostValues} values.`);
  return Array.from({ length: count }, (_, index) => Number(((from + index * by) / unit).toFixed(decimals)));
}

/** Digits after the decimal point, as written; an exponent moves the point. Doubles have no more than 15. */
function decimalsOf(text: string): number {
  const [, fraction = "", exponent = "0"] = /^[+-]?\d*\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  return Math.min(15, Math.max(0, fraction.length - Number(exponent)));
}
