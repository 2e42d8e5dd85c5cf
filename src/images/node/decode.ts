/** Reads and writes picture files with sharp, which is loaded on first use. */
import type { Sharp, SharpOptions } from "sharp";
import { TillerError } from "../../errors/index.ts";
import { roundHalfEven } from "../../rounding.ts";
import type { Pixels } from "../pixels.ts";
import { coverSize } from "../resample.ts";

/** The longest side that is read, in pixels; anything longer is an attack or a mistake. */
const largestSide = 30_000;

const open = async (file: string | Uint8Array, options: SharpOptions = {}): Promise<Sharp> =>
  (await import("sharp")).default(file, options);

/**
 * A picture file as RGB: rotated by its EXIF orientation, converted to sRGB, transparency blended onto white.
 *
 * @throws TillerError if it cannot be decoded.
 */
export async function readPixels(file: string): Promise<Pixels> {
  try {
    return await pixelsOf(upright(await open(file)));
  } catch (error) {
    throw new TillerError(
      "picture-unreadable",
      `${file} is not a picture that can be read: ${(error as Error).message}.`,
      { paths: [file], cause: error },
    );
  }
}

/**
 * A picture file's bytes as size x size: like {@link readPixels}, then the shorter side resized to `size` (bilinear, antialiased)
 * and the centre cropped, like torchvision's Resize and CenterCrop in Diffusers' training scripts.
 *
 * @throws TillerError naming the file if it cannot be decoded.
 */
export async function decodeCovering(file: string, bytes: Uint8Array, size: number): Promise<Pixels> {
  try {
    const picture = await open(bytes, { limitInputPixels: largestSide ** 2 });
    const { width, height, orientation = 1 } = await picture.metadata();
    if (Math.max(width, height) > largestSide) throw new Error(`it is ${width} pixels wide and ${height} high`);
    const scaled = coverSize(orientation >= 5 ? { width: height, height: width } : { width, height }, size);
    const cut = upright(picture)
      .resize({ ...scaled, fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
      .extract({
        left: roundHalfEven((scaled.width - size) / 2),
        top: roundHalfEven((scaled.height - size) / 2),
        width: size,
        height: size,
      });
    return await pixelsOf(cut);
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new TillerError(
      "picture-unreadable",
      `${file} cannot be read as a picture (${why}); remove it or save it again.`,
      { paths: [file], cause: error },
    );
  }
}

const upright = (picture: Sharp): Sharp => picture.autoOrient().flatten({ background: "white" }).toColourspace("srgb");

async function pixelsOf(picture: Sharp): Promise<Pixels> {
  const { data, info } = await picture.removeAlpha().raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8Array(data) };
}

/** A PNG file. */
export async function encodePixels({ width, height, data }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const picture = await open(data, { raw: { width, height, channels: 3 } });
  return new Uint8Array(await picture.png().toBuffer());
}
