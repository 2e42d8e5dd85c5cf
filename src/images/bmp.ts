/** Windows bitmaps, which sharp does not read: 1 to 32 bits per pixel, with palettes and bit fields, not run-length encoded. */
import type { Pixels } from "./pixels.ts";

/** A channel's bits in a pixel: where they begin, and their largest value. */
interface Field {
  readonly shift: number;
  readonly most: number;
}

/** Default masks of red, green, blue and alpha: 5 bits each of 16, 8 of 32; no alpha. */
const usualFields = { 16: [0x7c00, 0x3e0, 0x1f, 0], 32: [0xff0000, 0xff00, 0xff, 0] } as const;

/**
 * A bitmap as RGB, composited on white. A colour profile is ignored.
 *
 * @param mostPixels A larger picture is refused before decoding.
 * @throws Error with a short reason if it cannot be decoded.
 */
export function decodeBmp(bytes: Uint8Array, mostPixels: number): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 26) throw new Error("the bitmap is cut short");
  const [start, header] = [view.getUint32(10, true), view.getUint32(14, true)];
  const old = header === 12;
  if (bytes.length < 14 + header || (!old && header < 40)) throw new Error("the bitmap's header is damaged");
  const width = old ? view.getUint16(18, true) : view.getInt32(18, true);
  const signed = old ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(old ? 24 : 28, true);
  const packing = old ? 0 : view.getUint32(30, true);
  const height = Math.abs(signed);
  if (width <= 0 || height === 0) throw new Error("the bitmap's header is damaged");
  if (width * height > mostPixels) throw new Error(`it is ${width} pixels wide and ${height} high`);
  if (packing !== 0 && !(packing === 3 && (bits === 16 || bits === 32))) throw new Error("the bitmap is compressed");
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (start + stride * height > bytes.length) throw new Error("the bitmap is cut short");

  const put = reader(view, { bits, packing, header, start });
  const data = new Uint8Array(3 * width * height);
  const alphas = bits === 32 && packing === 3 ? new Uint8Array(width * height) : undefined;
  const pixel = new Uint8Array(4).fill(255);
  for (let y = 0; y < height; y++) {
    // Rows run bottom-up unless the height is negative.
    const row = start + stride * (signed < 0 ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      put(pixel, row, x);
      const at = y * width + x;
      for (let channel = 0; channel < 3; channel++) data[3 * at + channel] = pixel[channel]!;
      if (alphas) alphas[at] = pixel[3]!;
    }
  }
  // Some programs write zeros for alpha and mean opaque.
  if (alphas?.some((alpha) => alpha > 0)) layOnWhite(data, alphas);
  return { width, height, data };
}

/** Writes a pixel of a row into four bytes: red, green, blue, alpha. */
type Reader = (pixel: Uint8Array, row: number, x: number) => void;

function reader(
  view: DataView,
  { bits, packing, header, start }: { bits: number; packing: number; header: number; start: number },
): Reader {
  /** Three bytes, blue first. */
  const put = (pixel: Uint8Array, at: number) => {
    for (let channel = 0; channel < 3; channel++) pixel[channel] = view.getUint8(at + 2 - channel);
  };
  if (bits === 24) return (pixel, row, x) => put(pixel, row + 3 * x);
  if (bits === 16 || bits === 32) {
    const fields = (packing === 3 ? masksIn(view, header) : usualFields[bits]).map(fieldOf);
    return (pixel, row, x) => {
      const value = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
      for (const [i, { shift, most }] of fields.entries())
        pixel[i] = most === 0 ? 255 : Math.round((((value >>> shift) & most) * 255) / most);
    };
  }
  if (bits !== 1 && bits !== 4 && bits !== 8) throw new Error(`the bitmap has ${bits} bits per pixel`);
  const size = header === 12 ? 3 : 4;
  const first = 14 + header;
  const colours = Math.min(2 ** bits, Math.floor((start - first) / size));
  return (pixel, row, x) => {
    const byte = view.getUint8(row + ((x * bits) >> 3));
    const index = (byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);
    if (index < colours) put(pixel, first + size * index);
    // An index beyond the palette is black, as other programs show it.
    else pixel.fill(0, 0, 3);
  };
}

/** Three masks follow a 40-byte header; longer headers include one for alpha. */
function masksIn(view: DataView, header: number): number[] {
  if (view.byteLength < 70) throw new Error("the bitmap is cut short");
  return [54, 58, 62, 66].map((at) => (at === 66 && header < 56 ? 0 : view.getUint32(at, true)));
}

function fieldOf(mask: number): Field {
  if (mask === 0) return { shift: 0, most: 0 };
  const shift = 31 - Math.clz32(mask & -mask);
  return { shift, most: mask >>> shift };
}

function layOnWhite(data: Uint8Array, alphas: Uint8Array): void {
  for (const [i, alpha] of alphas.entries()) {
    for (let channel = 0; channel < 3; channel++) {
      const at = 3 * i + channel;
      data[at] = Math.round((data[at]! * alpha + 255 * (255 - alpha)) / 255);
    }
  }
}
