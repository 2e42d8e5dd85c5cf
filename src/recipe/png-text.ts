/** Writes and reads text chunks of PNG files (tEXt, zTXt, iTXt) without touching the pixels. */
import { withSource } from "#bytes";
import type { ByteSource } from "../bytes/source.ts";
import { TillerError } from "../errors/index.ts";

export interface PngText {
  readonly width: number;
  readonly height: number;
  /** The first text of each keyword asked for. */
  readonly texts: ReadonlyMap<string, string>;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Signature, then IHDR: length, type, 13 bytes, checksum. */
const headLength = signature.length + 25;
/** Limit in bytes, before and after decompression; recipes take a few KB. */
const maxText = 4 << 20;
/** Encoders write chunks of at least 8 KB, so this allows a file of 2 GB. */
const maxChunks = 1 << 18;

/**
 * A PNG's bytes with texts added before its pixels, in the given order.
 *
 * Latin-1 text becomes a tEXt chunk, which every reader supports, other text an iTXt chunk in UTF-8. NUL, the field
 * terminator, becomes a space.
 *
 * @param png A complete PNG file.
 */
export function withTexts(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text.replaceAll("\0", " ")));
  return joined([png.subarray(0, headLength), ...chunks, png.subarray(headLength)]);
}

/**
 * Reads a PNG's size and the texts stored under `keywords`. Pixels are skipped unread, so that memory stays bounded for any
 * file.
 *
 * @throws TillerError if the file is missing, not a PNG, cut off, or one of these texts is damaged or longer than 4 MiB.
 */
export const readTexts = (file: string, keywords: readonly string[]): Promise<PngText> =>
  withSource(file, (source) => textsIn({ ...source, name: file }, keywords));

/** {@link readTexts} from a source. */
export async function textsIn(source: ByteSource, keywords: readonly string[]): Promise<PngText> {
  const { name: file, size } = source;
  const damaged = (what: string) =>
    new TillerError("picture-unreadable", `${file} is a damaged PNG: ${what}.`, { paths: [file] });
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = await source.read(offset, length);
    if (bytes.byteLength < length) throw damaged("it is cut off");
    return bytes;
  };
  const head = await read(0, Math.min(size, headLength));
  if (!signature.every((byte, i) => head[i] === byte))
    throw new TillerError("picture-unreadable", `${file} is not a PNG picture.`, { paths: [file] });
  if (size < headLength) throw damaged("it is cut off");
  if (wordAt(head, 8) !== 13 || latin1(head.subarray(12, 16)) !== "IHDR")
    throw damaged("it does not begin with an IHDR chunk");

  const texts = new Map<string, string>();
  let offset = headLength;
  for (let chunks = 0; ; chunks++) {
    if (chunks === maxChunks) throw damaged(`it has more than ${maxChunks} chunks`);
    if (offset + 12 > size) throw damaged("it is cut off");
    const start = await read(offset, 8);
    const length = wordAt(start, 0);
    const type = latin1(start.subarray(4));
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged(`there is no chunk at byte ${offset}`);
    if (length > size - offset - 12) throw damaged(`its ${type} chunk at byte ${offset} is longer than the file`);
    if (type === "IEND") break;
    if (/^(tEXt|zTXt|iTXt)$/.test(type)) {
      // Keywords have at most 79 bytes; other keywords' chunks are not read further.
      const keyword = beforeNul(await read(offset + 8, Math.min(length, 80)));
      if (keyword !== undefined && keywords.includes(keyword) && !texts.has(keyword)) {
        if (length > maxText) throw damaged(`its text "${keyword}" has ${length} bytes, more than ${maxText}`);
        const chunk = await read(offset + 4, length + 8);
        if (wordAt(chunk, length + 4) !== crc32(chunk.subarray(0, length + 4))) {
          throw damaged(`the checksum of its text "${keyword}" is wrong`);
        }
        const text = await textOf(type, chunk.subarray(4 + keyword.length + 1, length + 4));
        if (text === undefined) throw damaged(`its text "${keyword}" cannot be read`);
        texts.set(keyword, text);
      }
    }
    offset += length + 12;
  }
  return { width: wordAt(head, 16), height: wordAt(head, 20), texts };
}

function textChunk(keyword: string, text: string): Uint8Array {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Latin-1 is what it asks for.
  const isLatin1 = /^[\x00-\xff]*$/.test(text);
  const type = isLatin1 ? "tEXt" : "iTXt";
  // iTXt: not compressed, compression method 0, no language, no translated keyword.
  const between = isLatin1 ? "\0" : "\0\0\0\0\0";
  const bytesOf = (latin: string) => Uint8Array.from(latin, (sign) => sign.charCodeAt(0));
  const body = joined([
    bytesOf(`${type}${keyword}${between}`),
    isLatin1 ? bytesOf(text) : new TextEncoder().encode(text),
  ]);
  return joined([word(body.length - 4), body, word(crc32(body))]);
}

function beforeNul(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  return end < 1 ? undefined : latin1(bytes.subarray(0, end));
}

/** @param data What follows the keyword's NUL. @returns Undefined if it is malformed or inflates beyond {@link maxText}. */
async function textOf(type: string, data: Uint8Array): Promise<string | undefined> {
  if (type === "tEXt") return latin1(data);
  if (type === "zTXt") {
    const text = data[0] === 0 ? await inflate(data.subarray(1)) : undefined;
    return text && latin1(text);
  }
  const [compressed, method] = data;
  const language = data.indexOf(0, 2);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0 || (compressed !== 0 && (compressed !== 1 || method !== 0))) return undefined;
  const text = compressed === 0 ? data.subarray(translated + 1) : await inflate(data.subarray(translated + 1));
  return text && new TextDecoder().decode(text);
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
    for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > maxText) return undefined;
      parts.push(part);
    }
  } catch {
    return undefined;
  }
  return joined(parts);
}

const wordAt = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  // In pieces, because the number of arguments of a call is limited.
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The checksum of PNG's chunks (ISO 3309). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
