/** Captions of pictures: files beside them, and Hugging Face's metadata.jsonl. */

import { z } from "zod";
import { extname } from "#bytes";
import { readSmall } from "../bytes/json-file.ts";
import { decodeWords } from "../bytes/text.ts";
import { TillerError } from "../errors/index.ts";

/** Where a picture's caption is. */
export interface Caption {
  /** Its file's path relative to the folder of pictures, which tells captions with the same words apart. */
  readonly name: string;
  readonly file: string;
  /** The caption itself, if the file contains more than that. */
  readonly text?: string;
}

/** The most bytes of a caption, and of a file of many captions. */
const [mostOfOne, mostOfMany] = [1 << 20, 1 << 28];

/** A caption's bytes: the whole of its own file, else the text in UTF-8. */
export const captionBytes = async ({ file, text }: Caption): Promise<Uint8Array<ArrayBuffer>> =>
  text === undefined ? readSmall(file, mostOfOne) : new TextEncoder().encode(text);

/** The text in a caption's bytes; undefined if it is blank. @throws TillerError `text-encoding` naming the file. */
export function captionIn(bytes: Uint8Array, { file, text }: Caption): string | undefined {
  const words = (text ?? decodeWords(bytes, file)).trim();
  return words === "" ? undefined : words;
}

/** @throws TillerError naming the file if it is missing, too long or not UTF-8. */
export const readCaption = async (caption: Caption): Promise<string | undefined> =>
  captionIn(await captionBytes(caption), caption);

/** Caption files by name without the extension: `.txt`, or else `.caption`, as for kohya's scripts. */
export function captionFiles(names: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const ending of [".caption", ".CAPTION", ".TXT", ".txt"]) {
    for (const name of names) {
      const extension = extname(name);
      if (extension === ending || (ending === ending.toUpperCase() && extension.toUpperCase() === ending))
        files.set(name.slice(0, name.length - extension.length), name);
    }
  }
  return files;
}

/** The non-blank lines of a text file, trimmed. */
export async function readLines(file: string): Promise<string[]> {
  const lines = decodeWords(await readSmall(file, mostOfMany), file).split(/\r\n?|\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

const line = z.object({ file_name: z.string() }).catchall(z.unknown());

/** Names of the text field in data sets for Diffusers' scripts. */
const textFields = ["text", "caption", "prompt"];

/**
 * Texts by picture name, from the lines of a `metadata.jsonl`: `{"file_name": "a.png", "text": "a cat"}`. The text is in the
 * field `text`, `caption` or `prompt`.
 *
 * @throws TillerError naming the file and the first line without these fields.
 */
export async function readMetadata(file: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const [i, one] of (await readLines(file)).entries()) {
    const fields = parseLine(one, i + 1, file);
    const text = textFields.map((name) => fields[name]).find((value) => typeof value === "string");
    if (typeof text !== "string") throw badLine(file, i + 1, `has no text in a field ${textFields.join(", ")}`);
    texts.set(fields.file_name, text);
  }
  return texts;
}

function parseLine(text: string, number: number, file: string): z.infer<typeof line> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badLine(file, number, "is not valid JSON", cause);
  }
  const parsed = line.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badLine(file, number, 'has no field "file_name"');
}

const badLine = (file: string, number: number, why: string, cause?: unknown): TillerError =>
  new TillerError("json-unexpected", `Text ${number} of ${file} ${why}.`, { paths: [file], cause });
