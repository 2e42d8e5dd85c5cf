/**
 * How the core decodes and encodes pictures on the platform it runs on. `node/` and `web/` each export exactly this;
 * package.json's `#images` picks one of them.
 */
import type { Pixels } from "./pixels.ts";

export interface ImagesPort {
  /**
   * A picture file: turned as its EXIF orientation says, brought to sRGB, transparency laid on white; of several frames the
   * first.
   *
   * @throws TillerError naming the file if it is of a kind that is not read, or cannot be decoded.
   */
  readPixels(file: string): Promise<Pixels>;
  /**
   * The same for a file's bytes, with the shorter side resized to `size` (bilinear, antialiased) and the centre cropped to size x
   * size, like torchvision's Resize and CenterCrop. `file` is its name, for messages.
   */
  decodeCovering(file: string, bytes: Uint8Array, size: number): Promise<Pixels>;
  /** A PNG file. */
  encodePixels(pixels: Pixels): Promise<Uint8Array<ArrayBuffer>>;
}
