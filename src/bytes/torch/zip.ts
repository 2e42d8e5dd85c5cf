/** Reads the directory of a zip archive, including PyTorch's zip64. */
import type { ByteSource } from "../source.ts";

/** One file of an archive. */
export interface Member {
  readonly name: string;
  /** Uncompressed length in bytes. */
  readonly size: number;
  /** Its length in the archive, compressed or not. */
  readonly packed: number;
  /** Compression method: 0 is none. */
  readonly method: number;
  readonly encrypted: boolean;
  /** Byte offset of its local header. */
  readonly header: number;
}

/** The archive is malformed; the message completes "the file is damaged: …". */
export class ZipError extends Error {}

/** The archive's end is missing: the file was cut short. */
export class ZipCut extends ZipError {}

/** Limit in bytes on what a hostile directory can allocate; a model's takes a few hundred KB. */
const maxDirectory = 1 << 25;
const endSize = 22;
const longestComment = 0xffff;

/** @throws ZipError if there is no directory, or it is damaged. */
export async function readDirectory(source: ByteSource): Promise<Member[]> {
  const { at, length } = await findDirectory(source);
  if (length > maxDirectory) throw new ZipError(`its directory has ${length} bytes`);
  if (at + length > source.size) throw new ZipError("its directory lies beyond its end");
  const bytes = await source.read(at, length);
  const view = viewOf(bytes);
  const members: Member[] = [];
  for (let p = 0; p < bytes.length; ) {
    if (p + 46 > bytes.length || view.getUint32(p, true) !== 0x02014b50) throw new ZipError("its directory is broken");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => view.getUint16(p + o, true)) as [
      number,
      number,
      number,
    ];
    const extraAt = p + 46 + nameLength;
    const next = extraAt + extraLength + commentLength;
    if (next > bytes.length) throw new ZipError("its directory is broken");
    const wide = zip64Fields(view, extraAt, extraAt + extraLength);
    // The zip64 extra holds only the fields that do not fit, in this order.
    const unpacked = wide(view.getUint32(p + 24, true));
    const packed = wide(view.getUint32(p + 20, true));
    members.push({
      name: new TextDecoder().decode(bytes.subarray(p + 46, extraAt)),
      size: unpacked,
      packed,
      method: view.getUint16(p + 10, true),
      encrypted: (view.getUint16(p + 8, true) & 1) !== 0,
      header: wide(view.getUint32(p + 42, true)),
    });
    p = next;
  }
  return members;
}

/**
 * The byte offset of a member's contents, which must be uncompressed: it is used in place.
 *
 * @throws ZipError if it is compressed or encrypted, or not inside the file.
 */
export async function placeOfMember(source: ByteSource, member: Member): Promise<number> {
  const { name, method, encrypted } = member;
  if (method !== 0 || encrypted) throw new ZipError(`${name} is ${encrypted ? "encrypted" : "compressed"} in it`);
  return placeOfPacked(source, member, member.size);
}

/**
 * The byte offset of a member's data in the archive, compressed or not.
 *
 * @throws ZipError if the data is not within the file.
 */
export async function placeOfPacked(
  source: ByteSource,
  { name, header, packed }: Member,
  length = packed,
): Promise<number> {
  const local = header + 30 <= source.size ? await source.read(header, 30) : new Uint8Array(0);
  const view = viewOf(local);
  if (local.length < 30 || view.getUint32(0, true) !== 0x04034b50)
    throw new ZipError(`${name} is not where it should be`);
  const at = header + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (at + length > source.size) throw new ZipError(`${name} ends beyond the file's end`);
  return at;
}

async function findDirectory(source: ByteSource): Promise<{ at: number; length: number }> {
  const from = Math.max(0, source.size - endSize - longestComment);
  const tail = await source.read(from, source.size - from);
  const view = viewOf(tail);
  for (let p = tail.length - endSize; p >= 0; p--) {
    if (view.getUint32(p, true) !== 0x06054b50) continue;
    const [length, at] = [view.getUint32(p + 12, true), view.getUint32(p + 16, true)];
    const locator = p - 20;
    if (locator >= 0 && view.getUint32(locator, true) === 0x07064b50) {
      const record = await source.read(whole(view, locator + 8), 56);
      const end = viewOf(record);
      if (record.length < 56 || end.getUint32(0, true) !== 0x06064b50) throw new ZipError("its zip64 end is broken");
      return { length: whole(end, 40), at: whole(end, 48) };
    }
    return { at, length };
  }
  throw new ZipCut("its end is missing");
}

/** Reads the 64-bit values of a zip64 extra field, one for each 32-bit field at its maximum. */
function zip64Fields(view: DataView, from: number, to: number): (narrow: number) => number {
  let at = 0;
  let end = 0;
  for (let p = from; p + 4 <= to; p += 4 + view.getUint16(p + 2, true)) {
    if (view.getUint16(p, true) === 1) [at, end] = [p + 4, Math.min(to, p + 4 + view.getUint16(p + 2, true))];
  }
  return (narrow) => {
    if (narrow !== 0xffffffff) return narrow;
    if (at + 8 > end) throw new ZipError("its directory is broken");
    at += 8;
    return whole(view, at - 8);
  };
}

function whole(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipError("its directory is broken");
  return Number(value);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
