/** Picture files as the encoders take them. */
import { join } from "node:path";
import sharp from "sharp";
import { TillerError } from "../../errors.ts";
import { pictureNames } from "../../training/data/pictures.ts";
import type { Pixels } from "../resample.ts";

/**
 * A picture file as RGB: turned as its EXIF orientation says, brought to sRGB, transparency laid on white.
 *
 * @throws TillerError if it cannot be decoded.
 */
export async function readPixels(file: string): Promise<Pixels> {
  try {
    const { data, info } = await sharp(file)
      .autoOrient()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: new Uint8Array(data) };
  } catch (error) {
    throw new TillerError(`${file} is not a picture that can be read: ${(error as Error).message}.`, { cause: error });
  }
}

/** The pictures of a folder in the order of their names. */
export async function readFolder(folder: string): Promise<{ readonly file: string; readonly pixels: Pixels }[]> {
  const pictures = [];
  for (const name of await pictureNames(folder)) {
    const file = join(folder, name);
    pictures.push({ file, pixels: await readPixels(file) });
  }
  return pictures;
}
