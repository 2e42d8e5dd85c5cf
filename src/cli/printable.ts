/** Text from files, made safe for a terminal. */
import { clockText } from "../internal.ts";

/** Escapes control characters, so that text from a file cannot control the terminal. Line breaks stay. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (c) =>
    c === "\n" ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** 1234567 as "1.23 M": three digits, for counts of parameters. */
export function shortCount(count: number): string {
  for (const [unit, sign] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "K"],
  ] as const) {
    if (count >= unit) return `${Number((count / unit).toPrecision(3))} ${sign}`;
  }
  return String(count);
}

/** Bytes in binary units. */
export function shortBytes(bytes: number): string {
  for (const [unit, sign] of [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const) {
    if (bytes >= unit) return `${Number((bytes / unit).toPrecision(3))} ${sign}`;
  }
  return `${bytes} B`;
}

/** Seconds as "4.2 s", "42 s" or "1:07:05". */
export const shortTime = (seconds: number): string => (seconds < 10 ? `${seconds.toFixed(1)} s` : clockText(seconds));

/** Rows as lines, their columns two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Quotes a word for a POSIX shell: in double quotes, which Windows accepts too, unless it has characters special in these. */
export function quoted(word: string): string {
  if (/^[\w./@:+-]+$/.test(word)) return word;
  if (process.platform === "win32" || !/["$`\\!]/.test(word)) return `"${word}"`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}
