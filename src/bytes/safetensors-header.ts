/**
 * A scanner for the JSON header of safetensors files, for exactly its grammar.
 *
 * `JSON.parse` would silently accept duplicate names and build any nesting a hostile file holds. This scanner stops at the
 * first character that is not valid in a safetensors header, so its memory is bounded by the header's length.
 */

/** One tensor in the header; `begin` and `end` are bytes from the end of the header. */
export interface HeaderEntry {
  readonly name: string;
  /** As written in the file: "F32", "BF16", … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The header is malformed; the message completes "the file is damaged: …". */
export class HeaderError extends Error {}

/** Longest tensor name, because names are later matched against patterns; real ones have a few hundred characters at most. */
export const maxName = 2000;

/** More axes than any real tensor has; bounds what a hostile shape can allocate. */
const maxRank = 32;
const whole = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y;

/** @throws HeaderError at the first error. */
export function parseHeader(text: string): Header {
  let at = 0;

  const fail = (what: string): never => {
    throw new HeaderError(`${what} at character ${at} of its header`);
  };
  const skipSpace = () => {
    for (; ; at++) {
      const c = text.charCodeAt(at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  };
  const next = (symbol: string): boolean => {
    skipSpace();
    if (text[at] !== symbol) return false;
    at++;
    return true;
  };
  const expect = (symbol: string) => {
    if (!next(symbol))
      fail(at >= text.length ? `the header ends where "${symbol}" is expected` : `"${symbol}" is missing`);
  };
  const string = (): string => {
    expect('"');
    const from = at;
    let plain = true;
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) fail("a string does not end");
      if (text[at] === "\\") {
        plain = false;
        at++;
      }
    }
    const inside = text.slice(from, at++);
    if (plain && !hasControl(inside)) return inside;
    try {
      return JSON.parse(`"${inside}"`);
    } catch {
      return fail("a string is not valid JSON");
    }
  };
  const integer = (): number => {
    skipSpace();
    whole.lastIndex = at;
    const digits = whole.exec(text)?.[0] ?? fail("a whole number of at most 16 digits is expected");
    at += digits.length;
    const value = Number(digits);
    return Number.isSafeInteger(value) ? value : fail(`the number ${digits} is too large`);
  };
  const integers = (most: number): number[] => {
    const values: number[] = [];
    expect("[");
    if (next("]")) return values;
    do {
      if (values.length === most) fail(`a list has more than ${most} numbers`);
      values.push(integer());
    } while (next(","));
    expect("]");
    return values;
  };
  const members = (read: (key: string) => void) => {
    const seen = new Set<string>();
    expect("{");
    if (next("}")) return;
    do {
      const key = string();
      if (seen.has(key)) fail(`${quoted(key)} is given twice`);
      seen.add(key);
      expect(":");
      read(key);
    } while (next(","));
    expect("}");
  };
  const tensor = (name: string): HeaderEntry => {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    members((key) => {
      if (key === "dtype") dtype = string();
      else if (key === "shape") shape = integers(maxRank);
      else if (key === "data_offsets") offsets = integers(2);
      else fail(`tensor ${quoted(name)} has an unknown field ${quoted(key)}`);
    });
    const [begin, end] = offsets ?? [];
    if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
      return fail(`tensor ${quoted(name)} lacks its dtype, shape or two data_offsets`);
    }
    return { name, dtype, shape, begin, end };
  };

  const entries: HeaderEntry[] = [];
  const metadata = new Map<string, string>();
  members((key) => {
    if (key === "__metadata__") members((field) => metadata.set(field, string()));
    else entries.push(tensor(key));
  });
  skipSpace();
  if (at < text.length) fail("there is text after the header's end");
  return { entries, metadata: Object.fromEntries(metadata) };
}

/** A name from a file, safe and short enough for an error message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}

function hasControl(s: string): boolean {
  for (let i = 0; i < s.length; i++) if (s.charCodeAt(i) < 0x20) return true;
  return false;
}
