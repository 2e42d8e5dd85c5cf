/** Folders of pictures. */
import { extname, join, list } from "#bytes";
import { readPixels } from "#images";
import { TillerError } from "../errors/index.ts";
import type { Pixels } from "./pixels.ts";

const extensions = new Set([".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff"]);

/**
 * The picture files in a folder, sorted by name.
 *
 * @throws TillerError if the folder is missing or has no pictures.
 */
export async function pictureNames(folder: string): Promise<string[]> {
  const pictures = await picturesIn(folder);
  if (pictures.length === 0)
    throw new TillerError("pictures-missing", `${folder} has no pictures: put JPEG, PNG or WebP files there.`, {
      paths: [folder],
    });
  return pictures;
}

/** Like {@link pictureNames}, but the folder may have none. */
export async function picturesIn(folder: string): Promise<string[]> {
  const names = await list(folder).catch((error: { readonly code?: string }) => {
    const why = error.code === "ENOTDIR" ? "is a file" : error.code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new TillerError(
      "pictures-missing",
      `The folder of pictures ${folder} ${why}: give a folder of JPEG, PNG or WebP files.`,
      { paths: [folder] },
    );
  });
  return names.filter((name) => !name.startsWith(".") && extensions.has(extname(name).toLowerCase())).sort();
}

/** Pictures in unsupported formats, such as a phone's HEIC, sorted by name. */
export async function unreadPictures(folder: string): Promise<string[]> {
  const unread = /\.(heic|heif|gif|bmp|jxl|jp2|svg|psd|dng|cr2|nef|arw)$/i;
  return (await list(folder)).filter((name) => !name.startsWith(".") && unread.test(name)).sort();
}

/** The file of a picture's caption, which may not exist. */
export const captionFileOf = (picture: string): string => `${picture.slice(0, -extname(picture).length)}.txt`;

/** The pictures of a folder in the order of their names. */
export async function readFolder(folder: string): Promise<{ readonly file: string; readonly pixels: Pixels }[]> {
  const pictures = [];
  for (const name of await pictureNames(folder)) {
    const file = join(folder, name);
    pictures.push({ file, pixels: await readPixels(file) });
  }
  return pictures;
}
