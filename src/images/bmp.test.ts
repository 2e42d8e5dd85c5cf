/** Bitmaps of every depth; the layout follows Microsoft's documentation of BITMAPINFOHEADER. */
import { describe, expect, test } from "vitest";
import { decodeBmp } from "./bmp.ts";

/** A bitmap of one row's pixels, or several rows from the bottom up. */
function bmp(
  {
    bits,
    width,
    height,
    packing = 0,
    header = 40,
  }: Record<"bits" | "width" | "height", number> & { packing?: number; header?: number },
  behind: readonly number[],
  rows: readonly (readonly number[])[],
): Uint8Array {
  const stride = 4 * Math.ceil((width * bits) / 32);
  const data = rows.flatMap((row) => [...row, ...new Array<number>(stride - row.length).fill(0)]);
  const start = 14 + header + behind.length;
  const head = Buffer.alloc(14 + header);
  head.write("BM");
  head.writeUInt32LE(start + data.length, 2);
  head.writeUInt32LE(start, 10);
  head.writeUInt32LE(header, 14);
  if (header === 12) {
    head.writeUInt16LE(width, 18);
    head.writeUInt16LE(height, 20);
    head.writeUInt16LE(bits, 24);
  } else {
    head.writeInt32LE(width, 18);
    head.writeInt32LE(height, 22);
    head.writeUInt16LE(bits, 28);
    head.writeUInt32LE(packing, 30);
  }
  return Uint8Array.from([...head, ...behind, ...data]);
}

const le32 = (...values: readonly number[]) =>
  values.flatMap((v) => [v & 255, (v >> 8) & 255, (v >> 16) & 255, v >>> 24]);
const le16 = (...values: readonly number[]) => values.flatMap((v) => [v & 255, v >> 8]);
const pixels = (bytes: Uint8Array) => [...decodeBmp(bytes, 1e6).data];

describe("a bitmap", () => {
  test("of 24 bits has its rows bottom-up, blue first", () => {
    const rows = [
      [0, 0, 255, 0, 255, 0],
      [255, 0, 0, 9, 8, 7],
    ];
    expect(pixels(bmp({ bits: 24, width: 2, height: 2 }, [], rows))).toEqual([
      0, 0, 255, 7, 8, 9, 255, 0, 0, 0, 255, 0,
    ]);
    expect(pixels(bmp({ bits: 24, width: 2, height: -2 }, [], rows))).toEqual([
      255, 0, 0, 0, 255, 0, 0, 0, 255, 7, 8, 9,
    ]);
    expect(pixels(bmp({ bits: 24, width: 2, height: 1, header: 12 }, [], [rows[0]!]))).toEqual([255, 0, 0, 0, 255, 0]);
  });

  test.each([
    [1, [0b01000000], [0, 1]],
    [4, [0x01], [0, 1]],
    [8, [0, 1], [0, 1]],
    [8, [1, 7], [1, -1]],
  ])("of %i bits has a palette: %j", (bits, row, expected) => {
    const colours = [
      [255, 0, 0],
      [0, 128, 64],
    ];
    const palette = colours.flatMap(([r, g, b]) => [b!, g!, r!, 0]);
    // An index beyond the palette is black.
    const wanted = expected.flatMap((index) => colours[index] ?? [0, 0, 0]);
    expect(pixels(bmp({ bits, width: 2, height: 1 }, palette, [row]))).toEqual(wanted);
    const short = colours.flatMap(([r, g, b]) => [b!, g!, r!]);
    expect(pixels(bmp({ bits, width: 2, height: 1, header: 12 }, short, [row]))).toEqual(wanted);
  });

  test("of 16 bits has 5 per colour, or as its masks say", () => {
    const row = le16(0x7c00, 0x03e0, 0x4210);
    expect(pixels(bmp({ bits: 16, width: 3, height: 1 }, [], [row]))).toEqual([255, 0, 0, 0, 255, 0, 132, 132, 132]);
    const masks = le32(0xf800, 0x7e0, 0x1f, 0);
    const given = bmp({ bits: 16, width: 2, height: 1, packing: 3 }, masks, [le16(0xf800, 0x07e0)]);
    expect(pixels(given)).toEqual([255, 0, 0, 0, 255, 0]);
  });

  test("of 32 bits has alpha if its masks say so, and is composited on white", () => {
    const row = le32(0x00ff0000, 0x8000ff00 | 0, 0xff0000ff | 0).map((v) => v & 255);
    expect(pixels(bmp({ bits: 32, width: 3, height: 1 }, [], [row]))).toEqual([255, 0, 0, 0, 255, 0, 0, 0, 255]);
    const masks = le32(0xff0000, 0xff00, 0xff, 0xff000000 | 0).map((v) => v & 255);
    const given = (pixelsOf: readonly number[]) => {
      const bytes = bmp({ bits: 32, width: 3, height: 1, packing: 3, header: 56 }, [], [pixelsOf]);
      bytes.set(masks, 54);
      return pixels(bytes);
    };
    // 127 of 255 is the white background.
    expect(given(row)).toEqual([255, 255, 255, 127, 255, 127, 0, 0, 255]);
    expect(given(row.map((v, i) => (i % 4 === 3 ? 0 : v)))).toEqual([255, 0, 0, 0, 255, 0, 0, 0, 255]);
  });

  test.each([
    ["run-length encoded", bmp({ bits: 8, width: 2, height: 1, packing: 1 }, [], [[0, 0]]), /compressed/],
    ["of 3 bits", bmp({ bits: 3, width: 2, height: 1 }, [], [[0]]), /3 bits/],
    ["of no width", bmp({ bits: 24, width: 0, height: 1 }, [], [[]]), /damaged/],
    ["too large", bmp({ bits: 1, width: 2000, height: 1 }, [], [[]]), /2000/],
    ["cut short", bmp({ bits: 24, width: 9, height: 9 }, [], [[]]), /cut short/],
    ["all header", bmp({ bits: 24, width: 9, height: 9 }, [], []).subarray(0, 30), /damaged/],
    ["a few bytes", Uint8Array.from(Buffer.from("BM")), /cut short/],
  ])("%s is refused", (_, bytes, why) => {
    expect(() => decodeBmp(bytes, 1000)).toThrow(why);
  });
});
