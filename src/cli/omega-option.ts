/** Parses omega: a number, or a text for one that changes over the steps or between parts. */
import { type Omega, TillerError } from "../index.ts";
import { isOmega, omegaForms } from "../internal.ts";
import { parseNumbers } from "./ranges.ts";
import { parseNumber } from "./values.ts";

/** @throws TillerError unless `text` is an omega. */
export function parseOmega(option: string, text: string): Omega {
  if (isOmega(text)) return text;
  if (!/[a-z]:|[=,]/i.test(text)) return parseNumber(option, text);
  throw new TillerError("option-invalid", `${option} ${text} is no omega: give ${omegaForms}.`);
}

/**
 * A list of omegas: numbers and ranges as for other settings, between commas, or between semicolons if one is by part.
 *
 * @throws TillerError naming what is no omega.
 */
export function parseOmegas(option: string, text: string): Omega[] {
  const entries = text.includes(";") ? text.split(";") : text.includes("=") ? [text] : text.split(",");
  const values = entries.map((entry) => entry.trim());
  const isText = (value: string) => /[a-z]:|=/i.test(value);
  return [
    ...new Set(values.flatMap((value) => (isText(value) ? [parseOmega(option, value)] : parseNumbers(option, value)))),
  ];
}
