/** Reads and writes picture files with sharp, which is loaded on first use. */
import type { Sharp, SharpOptions } from "sharp";
import { withSource } from "#bytes";
import { TillerError } from "../../errors/index.ts";
import { roundHalfEven } from "../../rounding.ts";
import { decodeBmp } from "../bmp.ts";
import { isBmp, refuseOtherKinds } from "../kinds.ts";
import type { Pixels, Square } from "../pixels.ts";
import { coverSize } from "../resample.ts";

/** The longest side that is read, in pixels; anything longer is an attack or a mistake. */
const largestSide = 30_000;

/** The largest picture that {@link readPixels} takes: sharp's own limit, some 268 million pixels. */
const mostPixels = 0x3fff ** 2;

const open = async (bytes: Uint8Array, options: SharpOptions = {}): Promise<Sharp> =>
  (await import("sharp")).default(bytes, options);

/** The bytes of a picture file in a supported format. */
async function openPicture(bytes: Uint8Array, limitInputPixels: number): Promise<Sharp> {
  if (!isBmp(bytes)) return open(bytes, { limitInputPixels });
  const { width, height, data } = decodeBmp(bytes, limitInputPixels);
  return open(data, { raw: { width, height, channels: 3 } });
}

/**
 * The first frame of a picture file as RGB: rotated by its EXIF orientation, converted to sRGB, composited on white.
 *
 * @throws TillerError if the file cannot be opened, has an unsupported format, or cannot be decoded.
 */
export const readPixels = (file: string): Promise<Pixels> =>
  withSource(file, async (source) => {
    const bytes = await source.read(0, source.size);
    return decoding(file, bytes, async () => pixelsOf(upright(await openPicture(bytes, mostPixels))));
  });

/**
 * A picture file's bytes as size x size: like {@link readPixels}, then the shorter side resized to `size` (bilinear, antialiased)
 * and the centre cropped, like torchvision's Resize and CenterCrop in Diffusers' training scripts.
 *
 * @throws TillerError naming the file if it cannot be decoded.
 */
export const decodeCovering = (file: string, bytes: Uint8Array, size: number): Promise<Square> =>
  decoding(file, bytes, async () => {
    const picture = await openPicture(bytes, largestSide ** 2);
    const { width, height, orientation = 1 } = await picture.metadata();
    if (Math.max(width, height) > largestSide) throw new Error(`it is ${width} pixels wide and ${height} high`);
    const original = orientation >= 5 ? { width: height, height: width } : { width, height };
    const scaled = coverSize(original, size);
    const crop = { left: roundHalfEven((scaled.width - size) / 2), top: roundHalfEven((scaled.height - size) / 2) };
    const cut = upright(picture)
      .resize({ ...scaled, fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
      .extract({ ...crop, width: size, height: size });
    return { ...(await pixelsOf(cut)), original, crop };
  });

/** @throws TillerError naming the file if its format is not supported, or `decode` fails. */
async function decoding<P extends Pixels>(file: string, bytes: Uint8Array, decode: () => Promise<P>): Promise<P> {
  refuseOtherKinds(file, bytes);
  try {
    return await decode();
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
