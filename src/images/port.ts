/**
 * What the core asks of the place it runs in, to decode and encode pictures. `node/` and `web/` each export exactly this;
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
   * The same of a file's bytes, its shorter side resized to `size` (bilinear, antialiased) and the middle cut out:
   * size x size, as torchvision's Resize and CenterCrop do. `file` is its name, for messages.
   */
  decodeCovering(file: string, bytes: Uint8Array, size: number): Promise<Pixels>;
  /** A PNG file. */
  encodePixels(pixels: Pixels): Promise<Uint8Array<ArrayBuffer>>;
}
