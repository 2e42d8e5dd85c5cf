/** Text files that people write: captions, prompts, configs. What is not text is refused, never learned from. */
import { TillerError } from "../errors/index.ts";

/** Byte order marks, and what they tell. */
const marks = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
] as const;

/**
 * The text in a file's bytes: UTF-8, or what its byte order mark says.
 *
 * @throws TillerError `text-encoding` naming the file if they are not that, or hold the zeros of a binary file or of UTF-16
 *   without a mark.
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  const encoding = marks.find(([mark]) => mark.every((byte, i) => bytes[i] === byte))?.[1] ?? "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw notText(file, `is not valid ${encoding.toUpperCase()}`, cause);
  }
  if (text.includes("\0")) throw notText(file, "holds zero bytes, as binary files and UTF-16 without its mark do");
  return text;
}

/** Scripts of U+0080 to U+07FF, where pairs of bytes land that are UTF-8 by accident. */
const scripts = ["Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Thaana", "Nko"].map(
  (name) => new RegExp(`\\p{Script=${name}}`, "u"),
);

/**
 * The text of a caption or of prompts. In a few texts in GBK and its kin every pair of bytes is a letter of UTF-8 as well: of
 * Latin here, of Hebrew there, side by side in one word, as no one writes. A byte order mark says that they are meant.
 *
 * @throws TillerError `text-encoding` as {@link decodeText} does, and for such letters.
 */
export function decodeWords(bytes: Uint8Array, file: string): string {
  const text = decodeText(bytes, file);
  const marked = marks.some(([mark]) => mark.every((byte, i) => bytes[i] === byte));
  const strange = marked ? undefined : text.match(/[\u0080-\u07ff]{2,}/gu)?.find(mixesScripts);
  if (strange === undefined) return text;
  throw notText(file, `looks like text of another encoding (as UTF-8 it holds "${strange}")`);
}

const mixesScripts = (word: string): boolean => scripts.filter((script) => script.test(word)).length > 1;

const notText = (file: string, why: string, cause?: unknown): TillerError =>
  new TillerError("text-encoding", `${file} ${why}: save it as UTF-8, with a byte order mark if in doubt.`, {
    paths: [file],
    cause,
  });
