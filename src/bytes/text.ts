/** Text files that people write: captions, prompts, configs. Other bytes are refused, so that training never learns them. */
import { TillerError } from "../errors/index.ts";

/** Byte order marks and their encodings. */
const marks = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
] as const;

/**
 * Decodes a file's bytes as UTF-8, or as its byte order mark says.
 *
 * @throws TillerError `text-encoding` naming the file if they are not valid, or contain zeros, as binary files and UTF-16
 *   without a mark do.
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  const encoding = marks.find(([mark]) => mark.every((byte, i) => bytes[i] === byte))?.[1] ?? "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw notText(file, `is not valid ${encoding.toUpperCase()}`, cause);
  }
  if (text.includes("\0"))
    throw notText(file, "contains zero bytes, as binary files and UTF-16 without a byte order mark do");
  return text;
}

/** Scripts of U+0080 to U+07FF, the range of byte pairs that are valid UTF-8 by accident. */
const scripts = ["Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Thaana", "Nko"].map(
  (name) => new RegExp(`\\p{Script=${name}}`, "u"),
);

/**
 * The text of a caption or of prompts. Some short texts in GBK and similar encodings happen to be valid UTF-8, but mix letters
 * of several scripts, such as Latin and Hebrew, within a word. They are refused unless a byte order mark says UTF-8.
 *
 * @throws TillerError `text-encoding` as {@link decodeText} does, and for such letters.
 */
export function decodeWords(bytes: Uint8Array, file: string): string {
  const text = decodeText(bytes, file);
  const marked = marks.some(([mark]) => mark.every((byte, i) => bytes[i] === byte));
  const strange = marked ? undefined : text.match(/[\u0080-\u07ff]{2,}/gu)?.find(mixesScripts);
  if (strange === undefined) return text;
  throw notText(file, `looks like text in another encoding (as UTF-8 it contains "${strange}")`);
}

const mixesScripts = (word: string): boolean => scripts.filter((script) => script.test(word)).length > 1;

const notText = (file: string, why: string, cause?: unknown): TillerError =>
  new TillerError("text-encoding", `${file} ${why}: save it as UTF-8, with a byte order mark if in doubt.`, {
    paths: [file],
    cause,
  });
