/** Pictures in memory. */

/** A picture in memory. */
export interface Pixels {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** RGB, 8 bits each, row by row: [height, width, 3]. */
  readonly data: Uint8Array;
}

/** A square cut from a resized picture. */
export interface Square extends Pixels {
  /** The whole picture's size in its file, upright. */
  readonly original: { readonly width: number; readonly height: number };
  /** Where the square was cut, in pixels after resizing. */
  readonly crop: { readonly left: number; readonly top: number };
}

/** Whether a value is a picture in memory, with as many bytes as its size needs. */
export function isPixels(value: unknown): value is Pixels {
  const { width, height, data } = (value ?? {}) as Partial<Pixels>;
  const sides = [width, height].every((side) => Number.isInteger(side) && side! > 0);
  return sides && ArrayBuffer.isView(data) && data.byteLength === 3 * width! * height!;
}

/** Pixels in -1..1, plane by plane: [3, size, size]. */
export interface Planes {
  readonly size: number;
  readonly data: Float32Array;
}

/** Interleaved RGB bytes to planes in -1..1. */
export function planesOf(bytes: Uint8Array, size: number): Planes {
  const pixels = size * size;
  if (bytes.length !== 3 * pixels) throw new Error(`${bytes.length / pixels} channels instead of 3`);
  return { size, data: planesIn(bytes) };
}

/** Interleaved RGB bytes to planes in -1..1: [3, height, width]. */
export function planesIn(bytes: Uint8Array): Float32Array {
  const pixels = bytes.length / 3;
  const data = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < 3; channel++) data[channel * pixels + i] = bytes[3 * i + channel]! / 127.5 - 1;
  }
  return data;
}

/** Left and right exchanged. */
export function mirrored({ size, data }: Planes): Planes {
  const flipped = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += size) {
    for (let x = 0; x < size; x++) flipped[row + x] = data[row + size - 1 - x]!;
  }
  return { size, data: flipped };
}

/** [3, height, width] in -1..1 to interleaved bytes, rounded half to even as the reference does. */
export function bytesOf(planes: Float32Array): Uint8Array {
  const pixels = planes.length / 3;
  const bytes = new Uint8ClampedArray(planes.length); // its assignment clamps, and rounds half to even
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < pixels; i++) {
      bytes[3 * i + channel] = Math.min(1, Math.max(0, planes[channel * pixels + i]! / 2 + 0.5)) * 255;
    }
  }
  return new Uint8Array(bytes.buffer);
}
