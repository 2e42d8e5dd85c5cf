/** The libraries that a shared library needs, by its ELF dynamic section. */
import { open } from "node:fs/promises";

const [loadable, dynamic] = [1, 2];
const [ends, needs, names] = [0n, 1n, 5n];

/** None if the file is no 64-bit little-endian ELF library. */
export async function neededBy(library: string): Promise<string[]> {
  const handle = await open(library);
  try {
    const read = async (at: number, length: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
      return buffer.subarray(0, bytesRead);
    };
    const head = await read(0, 64);
    if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return [];
    const [entry, count] = [head.readUInt16LE(54), head.readUInt16LE(56)];
    const table = await read(Number(head.readBigUInt64LE(32)), entry * count);
    const segments = Array.from({ length: count }, (_, i) => {
      const at = i * entry;
      const field = (offset: number) => Number(table.readBigUInt64LE(at + offset));
      return { type: table.readUInt32LE(at), offset: field(8), address: field(16), size: field(32) };
    });
    const section = segments.find(({ type }) => type === dynamic);
    if (!section) return [];
    const bytes = await read(section.offset, section.size);
    const offsets: number[] = [];
    let strings: number | undefined;
    for (let at = 0; at + 16 <= bytes.length; at += 16) {
      const [tag, value] = [bytes.readBigUInt64LE(at), Number(bytes.readBigUInt64LE(at + 8))];
      if (tag === ends) break;
      if (tag === needs) offsets.push(value);
      if (tag === names) strings = value;
    }
    const holder = segments.find(
      ({ type, address, size }) =>
        type === loadable && strings !== undefined && strings >= address && strings < address + size,
    );
    if (!holder) return [];
    const from = strings! - holder.address + holder.offset;
    return await Promise.all(
      offsets.map(async (offset) => {
        const text = (await read(from + offset, 256)).toString("latin1");
        return text.slice(0, text.indexOf("\0"));
      }),
    );
  } finally {
    await handle.close();
  }
}
