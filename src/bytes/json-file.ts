/** Small JSON and text files (configs, indexes, vocabularies), read with a size limit; JSON is checked against a schema. */
import { z } from "zod";
import { withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { refusalOf } from "./file-kind.ts";

/** Any JSON object: what a `config.json` is until the model that owns it parses it. */
export const jsonObject = z.record(z.string(), z.unknown());

/**
 * Reads `file` as JSON of the given form.
 *
 * @param limit Bytes beyond which the file is refused unread: 16 MiB, more than any config or index of a real model.
 * @throws TillerError if the file is missing, too long, not JSON (a Git LFS pointer or a web page is called that), or not of that form.
 */
export async function readJson<T>(file: string, schema: z.ZodType<T>, limit = 16 << 20): Promise<T> {
  const text = await readText(file, limit);
  let value: unknown;
  try {
    value = parsePythonJson(text);
  } catch (error) {
    const other = refusalOf(new TextEncoder().encode(text.slice(0, 512)), text.length, file);
    if (other.code === "lfs-pointer" || other.code === "web-page") throw other;
    throw new TillerError("json-invalid", `${file} is not valid JSON: ${onOneLine(error)}.`, {
      paths: [file],
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = issue?.path.length ? ` at "${issue.path.join(".")}"` : "";
  throw new TillerError(
    "json-unexpected",
    `${file} does not have the expected form${at}: ${issue?.message ?? "unknown"}.`,
    { paths: [file] },
  );
}

/**
 * Reads `file` as UTF-8 text.
 *
 * @throws TillerError if the file is missing, longer than `limit` bytes, or not UTF-8 (a byte order mark is honoured).
 */
export const readText = (file: string, limit: number): Promise<string> =>
  withSource(file, async (source) => {
    const { size } = source;
    if (size > limit)
      throw new TillerError("file-too-large", `${file} is ${size} bytes, too large for what it should hold.`, {
        paths: [file],
      });
    const bytes = await source.read(0, size);
    if (bytes.length < size)
      throw new TillerError("file-changed", `${file} changed while it was being read: try again.`, { paths: [file] });
    return decoded(bytes, file);
  });

/** UTF-8, or UTF-16 with a byte order mark. @throws TillerError if it is neither. */
function decoded(bytes: Uint8Array, file: string): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TillerError("file-unreadable", `${file} is not UTF-8 text: save it as UTF-8, or download it again.`, {
      paths: [file],
      cause,
    });
  }
}

/** A parser's message may quote the file's lines. */
const onOneLine = (error: unknown): string => (error as Error).message.replaceAll(/\s+/g, " ");

/** JSON as Python writes it: with bare Infinity and NaN, which become texts (a saved DPM-Solver config has one). */
function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const standard = text.replace(/([:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, '$1"$2"');
    if (standard === text) throw error;
    return JSON.parse(standard);
  }
}
