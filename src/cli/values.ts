/** Parses option values. Every error names the option. */
import { TillerError } from "../index.ts";
import { settingNames, settingsNamed } from "../internal.ts";

/** The option of a request's field: `--ag-scale` for `agScale`. */
export const optionOf = (field: string): string =>
  `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const digits = /^[+-]?\d+$/;

/** @throws TillerError unless `text` is a finite decimal number. */
export function parseNumber(option: string, text: string): number {
  const value = decimal.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new TillerError(
    "option-invalid",
    `${option} ${shown(text)} is not a number: give one such as ${option} ${example(option)}.`,
  );
}

/** @throws TillerError unless `text` is a whole number from `least` to `most`, in digits. */
export function parseWhole(
  option: string,
  text: string,
  least = Number.MIN_SAFE_INTEGER,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = digits.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value === 0 ? 0 : value;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new TillerError(
    "option-invalid",
    `${option} ${shown(text)} must be a whole number${least === Number.MIN_SAFE_INTEGER ? "" : ` ${bounds}`}, in digits.`,
  );
}

/** A number of processes. */
export const parseWorkers = (text: string): number => parseWhole("--workers", text, 1, 256);

/** @throws TillerError unless `text` is one of `choices`. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new TillerError("option-invalid", `${option} ${shown(text)} is unknown: choose one of ${choices.join(", ")}.`);
}

/** @throws TillerError unless `text` is two whole numbers of pixels, such as 1024x768. */
export function parseSize(option: string, text: string): { width: number; height: number } {
  const [width, height] = parsePair(option, text, "x", "WIDTHxHEIGHT, such as 1024x768");
  return { width, height };
}

/** @throws TillerError unless `text` is two whole numbers of pixels, such as 0,64. */
export function parsePlace(option: string, text: string): { left: number; top: number } {
  const [left, top] = parsePair(option, text, ",", "LEFT,TOP, such as 0,64");
  return { left, top };
}

function parsePair(option: string, text: string, sign: string, form: string): [number, number] {
  const parts = text.split(sign);
  if (parts.length === 2 && parts.every((part) => /^\d{1,6}$/.test(part))) return [Number(parts[0]), Number(parts[1])];
  throw new TillerError("option-invalid", `${option} ${shown(text)} is not in pixels: give ${form}.`);
}

/** Formats a value for a message: empty values visible, control characters escaped. */
function shown(text: string): string {
  return text === "" || /[\s\p{Cc}]/u.test(text) ? JSON.stringify(text) : text;
}

function example(option: string): string {
  if (option === "--steps") return "50";
  const setting = settingNames.find((name) => optionOf(name) === option);
  return setting === undefined ? "1" : String(settingsNamed(setting)[0].default);
}
