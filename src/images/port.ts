/**
 * How the core decodes and encodes pictures on the platform it runs on. `node/` and `web/` each export exactly this;
 * package.json's `#images` picks one of them.
 */
import type { Pixels, Square } from "./pixels.ts";

export interface ImagesPort {
  /**
   * The first frame of a picture file: rotated by its EXIF orientation, converted to sRGB, composited on white.
   *
   * @throws TillerError naming the file if its format is not supported, or it cannot be decoded.
   */
  readPixels(file: string): Promise<Pixels>;
  /**
   * The same for a file's bytes, with the shorter side resized to `size` (bilinear, antialiased) and the centre cropped to size x
   * size, like torchvision's Resize and CenterCrop. `file` is its name, for messages.
   */
  decodeCovering(file: string, bytes: Uint8Array, size: number): Promise<Square>;
  /** A PNG file. */
  encodePixels(pixels: Pixels): Promise<Uint8Array<ArrayBuffer>>;
}
