/** Small JSON and text files (configs, indexes, vocabularies), read with a size limit; JSON is checked against a schema. */
import { z } from "zod";
import { withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { refusalOf } from "./file-kind.ts";
import { decodeText } from "./text.ts";

/** Any JSON object: a `config.json` before its model parses it. */
export const jsonObject = z.record(z.string(), z.unknown());

/**
 * Reads `file` as JSON and checks it against `schema`.
 *
 * @param limit Largest size in bytes; larger files are refused unread. The default, 16 MiB, is more than any real config needs.
 * @throws TillerError if the file is missing, too large, not JSON (naming a Git LFS pointer or a web page as such), or does not
 *   match the schema.
 */
export async function readJson<T>(file: string, schema: z.ZodType<T>, limit = 16 << 20): Promise<T> {
  const bytes = await readSmall(file, limit);
  let value: unknown;
  try {
    value = parsePythonJson(decodeText(bytes, file));
  } catch (error) {
    const other = refusalOf(bytes.subarray(0, 512), bytes.length, file);
    if (other.code === "lfs-pointer" || other.code === "web-page") throw other;
    if (error instanceof TillerError) throw error;
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
    `${file} does not have the expected structure${at}: ${issue?.message ?? "unknown"}.`,
    { paths: [file] },
  );
}

/**
 * Reads a text file in UTF-8, or in UTF-16 with a byte order mark.
 *
 * @throws TillerError if the file is missing, longer than `limit` bytes, or not text.
 */
export const readText = async (file: string, limit: number): Promise<string> =>
  decodeText(await readSmall(file, limit), file);

/**
 * All bytes of a small file.
 *
 * @throws TillerError if the file is missing or longer than `limit` bytes.
 */
export const readSmall = (file: string, limit: number): Promise<Uint8Array<ArrayBuffer>> =>
  withSource(file, async (source) => {
    const { size } = source;
    if (size > limit)
      throw new TillerError("file-too-large", `${file} is ${size} bytes, too large for what it should hold.`, {
        paths: [file],
      });
    const bytes = await source.read(0, size);
    if (bytes.length < size)
      throw new TillerError("file-changed", `${file} changed while it was being read: try again.`, { paths: [file] });
    return bytes;
  });

/** A parser's message may quote several lines of the file. */
const onOneLine = (error: unknown): string => (error as Error).message.replaceAll(/\s+/g, " ");

/** Parses JSON as Python writes it: bare Infinity and NaN become strings (a saved DPM-Solver config has one). */
function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const standard = text.replace(/([:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, '$1"$2"');
    if (standard === text) throw error;
    return JSON.parse(standard);
  }
}
