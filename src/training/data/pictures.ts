/** A folder of a person's own pictures, read for training. */
import { readdir } from "node:fs/promises";
import { extname, join, parse } from "node:path";
import sharp from "sharp";
import { readText } from "../../bytes/node/json-file.ts";
import { exists } from "../../bytes/node/regular-file.ts";
import { TillerError } from "../../errors.ts";
import { roundHalfEven } from "../../samplers/spacing.ts";

/** Pixels in -1..1, plane by plane: [3, size, size]. */
export interface Planes {
  readonly size: number;
  readonly data: Float32Array;
}

export interface TrainingPicture {
  readonly file: string;
  readonly planes: Planes;
  /** The text of the `.txt` file beside the picture. */
  readonly caption: string | undefined;
}

const extensions = new Set([".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff"]);

/** Sides up to this are read; more is an attack or a mistake. */
const largestSide = 30_000;

/**
 * The pictures of a folder in the order of their names, each resized and cut to size x size.
 *
 * Every picture is decoded here, so a broken one is known before training starts.
 *
 * @throws TillerError if the folder is missing or has no pictures, or naming the first that cannot be read.
 */
export async function readPictures(folder: string, size: number, signal?: AbortSignal): Promise<TrainingPicture[]> {
  const pictures: TrainingPicture[] = [];
  for (const name of await pictureNames(folder)) {
    signal?.throwIfAborted();
    const file = join(folder, name);
    const text = captionFileOf(file);
    const caption = (await exists(text)) ? (await readText(text, 1 << 20)).trim() : "";
    pictures.push({ file, planes: await readPlanes(file, size), caption: caption === "" ? undefined : caption });
  }
  return pictures;
}

/** The file of a picture's caption, which need not be there. */
export const captionFileOf = (picture: string): string => join(parse(picture).dir, `${parse(picture).name}.txt`);

/**
 * The picture files in a folder, sorted by name.
 *
 * @throws TillerError if the folder is missing or has no pictures.
 */
export async function pictureNames(folder: string): Promise<string[]> {
  const pictures = await picturesIn(folder);
  if (pictures.length === 0) throw new TillerError(`${folder} has no pictures; put JPEG, PNG or WebP files there.`);
  return pictures;
}

/** The same, of a folder that may have none. */
export async function picturesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "ENOTDIR" ? "is a file" : error.code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new TillerError(`the folder of pictures ${folder} ${why}; give a folder of JPEG, PNG or WebP files.`);
  });
  return names.filter((name) => !name.startsWith(".") && extensions.has(extname(name).toLowerCase())).sort();
}

/** Pictures of kinds that are not read, such as a phone's HEIC, sorted by name. */
export async function unreadPictures(folder: string): Promise<string[]> {
  const unread = /\.(heic|heif|gif|bmp|jxl|jp2|svg|psd|dng|cr2|nef|arw)$/i;
  return (await readdir(folder)).filter((name) => !name.startsWith(".") && unread.test(name)).sort();
}

/**
 * A picture file as [3, size, size]: turned as its EXIF orientation says, any colour space brought to sRGB, transparency
 * laid on white, the shorter side resized to `size` (bilinear, antialiased), the middle cut out. Resizing and cutting are
 * those of torchvision's Resize and CenterCrop, as Diffusers' training scripts use them.
 *
 * @throws TillerError naming the file if it cannot be decoded.
 */
export async function readPlanes(file: string, size: number): Promise<Planes> {
  try {
    const { width, height, orientation = 1 } = await sharp(file, { limitInputPixels: largestSide ** 2 }).metadata();
    if (Math.max(width, height) > largestSide) throw new Error(`it is ${width} pixels wide and ${height} high`);
    const upright = orientation >= 5 ? { width: height, height: width } : { width, height };
    const scaled = coverSize(upright, size);
    const bytes = await sharp(file, { limitInputPixels: largestSide ** 2 })
      .autoOrient()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .resize({ ...scaled, fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
      .extract({
        left: roundHalfEven((scaled.width - size) / 2),
        top: roundHalfEven((scaled.height - size) / 2),
        width: size,
        height: size,
      })
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer();
    return planesOf(bytes, size);
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new TillerError(`${file} cannot be read as a picture (${why}); remove it or save it again.`, {
      cause: error,
    });
  }
}

/** The shorter side as `size`, the longer in proportion, rounded down. */
function coverSize({ width, height }: { width: number; height: number }, size: number) {
  return width < height
    ? { width: size, height: Math.floor((size * height) / width) }
    : { width: Math.floor((size * width) / height), height: size };
}

/** Interleaved RGB bytes to planes in -1..1. */
export function planesOf(bytes: Uint8Array, size: number): Planes {
  const pixels = size * size;
  if (bytes.length !== 3 * pixels) throw new Error(`${bytes.length / pixels} channels in the place of 3`);
  const data = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < 3; channel++) data[channel * pixels + i] = bytes[3 * i + channel]! / 127.5 - 1;
  }
  return { size, data };
}

/** Left and right exchanged. */
export function mirrored({ size, data }: Planes): Planes {
  const flipped = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += size) {
    for (let x = 0; x < size; x++) flipped[row + x] = data[row + size - 1 - x]!;
  }
  return { size, data: flipped };
}
