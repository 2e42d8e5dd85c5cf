/** Text chunks of PNG files (tEXt, zTXt, iTXt), put in and taken out without touching the pixels. */
import { crc32, inflateSync } from "node:zlib";
import { readFully, withRegularFile } from "../bytes/node/regular-file.ts";
import { TillerError } from "../errors.ts";

export interface PngText {
  readonly width: number;
  readonly height: number;
  /** The first text of each keyword asked for. */
  readonly texts: ReadonlyMap<string, string>;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Signature, then IHDR: length, type, 13 bytes, checksum. */
const headLength = signature.length + 25;
/** Recipes take some KB. A longer text, before or after decompression, is none. */
const maxText = 4 << 20;
/** Encoders write chunks of 8 KB or more: this is a file of 2 GB. */
const maxChunks = 1 << 18;

/**
 * A PNG's bytes with texts added before its pixels, in the given order.
 *
 * Latin-1 text becomes a tEXt chunk, which every reader knows, anything else an iTXt chunk in UTF-8. NUL, which ends
 * fields there, becomes a space.
 *
 * @param png A complete PNG file.
 */
export function withTexts(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text.replaceAll("\0", " ")));
  return Buffer.concat([png.subarray(0, headLength), ...chunks, png.subarray(headLength)]);
}

/**
 * Reads a PNG's size and the texts stored under `keywords`. Pixels are skipped unread, so that memory stays bounded whatever
 * the file says of itself.
 *
 * @throws TillerError if the file is missing, not a PNG, cut off, or one of these texts is damaged or longer than 4 MiB.
 */
export function readTexts(file: string, keywords: readonly string[]): Promise<PngText> {
  return withRegularFile(file, async ({ handle, size }) => {
    const damaged = (what: string) => new TillerError(`${file} is a damaged PNG: ${what}.`);
    const read = async (offset: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      if (!(await readFully(handle, bytes, offset))) throw damaged("it is cut off");
      return bytes;
    };
    const head = await read(0, Math.min(size, headLength));
    if (!head.subarray(0, signature.length).equals(signature)) throw new TillerError(`${file} is not a PNG picture.`);
    if (size < headLength) throw damaged("it is cut off");
    if (head.readUInt32BE(8) !== 13 || head.toString("latin1", 12, 16) !== "IHDR")
      throw damaged("it does not begin with its size");

    const texts = new Map<string, string>();
    let offset = headLength;
    for (let chunks = 0; ; chunks++) {
      if (chunks === maxChunks) throw damaged(`it has more than ${maxChunks} chunks`);
      if (offset + 12 > size) throw damaged("it is cut off");
      const start = await read(offset, 8);
      const length = start.readUInt32BE(0);
      const type = start.toString("latin1", 4, 8);
      if (!/^[A-Za-z]{4}$/.test(type)) throw damaged(`at byte ${offset} no chunk begins`);
      if (length > size - offset - 12) throw damaged(`its ${type} chunk at byte ${offset} is longer than the file`);
      if (type === "IEND") break;
      if (/^(tEXt|zTXt|iTXt)$/.test(type)) {
        // Keywords have 79 bytes at most; longer chunks under other keywords are none of our business.
        const keyword = beforeNul(await read(offset + 8, Math.min(length, 80)));
        if (keyword !== undefined && keywords.includes(keyword) && !texts.has(keyword)) {
          if (length > maxText) throw damaged(`its text "${keyword}" has ${length} bytes, and ${maxText} is the most`);
          const chunk = await read(offset + 4, length + 8);
          if (chunk.readUInt32BE(length + 4) !== crc32(chunk.subarray(0, length + 4))) {
            throw damaged(`the checksum of its text "${keyword}" is wrong`);
          }
          const text = textOf(type, chunk.subarray(4 + keyword.length + 1, length + 4));
          if (text === undefined) throw damaged(`its text "${keyword}" cannot be read`);
          texts.set(keyword, text);
        }
      }
      offset += length + 12;
    }
    return { width: head.readUInt32BE(16), height: head.readUInt32BE(20), texts };
  });
}

function textChunk(keyword: string, text: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Latin-1 is what it asks for.
  const latin1 = /^[\x00-\xff]*$/.test(text);
  const type = latin1 ? "tEXt" : "iTXt";
  // iTXt: not compressed, compression method 0, no language, no translated keyword.
  const between = latin1 ? "\0" : "\0\0\0\0\0";
  const body = Buffer.concat([
    Buffer.from(`${type}${keyword}${between}`, "latin1"),
    Buffer.from(text, latin1 ? "latin1" : "utf8"),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

function beforeNul(bytes: Buffer): string | undefined {
  const end = bytes.indexOf(0);
  return end < 1 ? undefined : bytes.toString("latin1", 0, end);
}

/** @param data What follows the keyword's NUL. Undefined if it is not as the format says, or inflates beyond measure. */
function textOf(type: string, data: Buffer): string | undefined {
  if (type === "tEXt") return data.toString("latin1");
  if (type === "zTXt") return data[0] === 0 ? inflate(data.subarray(1))?.toString("latin1") : undefined;
  const [compressed, method] = data;
  const language = data.indexOf(0, 2);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0 || (compressed !== 0 && (compressed !== 1 || method !== 0))) return undefined;
  const text = data.subarray(translated + 1);
  return (compressed === 0 ? text : inflate(text))?.toString("utf8");
}

function inflate(bytes: Buffer): Buffer | undefined {
  try {
    return inflateSync(bytes, { maxOutputLength: maxText });
  } catch {
    return undefined;
  }
}
