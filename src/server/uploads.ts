/** Pictures that people bring: decoded, brought upright and to sRGB, and kept as PNG files of a sensible size. */
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { TillerError, UsageError } from "../index.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";

/** Pictures of one upload, pixels of one picture, and the side that larger ones are brought to. */
const [mostPictures, mostPixels, largestSide] = [30, 50_000_000, 1024];

/**
 * Keeps an upload, whole or not at all.
 *
 * @throws UsageError if there are none or too many; TillerError naming the first that cannot be read.
 */
export async function keepUpload(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  data: DataFolder,
): Promise<{ id: string; pictures: number }> {
  if (files.length === 0) throw new UsageError("no pictures came with the upload");
  if (files.length > mostPictures) throw new UsageError(`${mostPictures} pictures are the most of one upload`);
  const id = newId();
  const folder = join(data.uploads, `.${id}`);
  await mkdir(folder);
  try {
    for (const [i, { name, bytes }] of files.entries()) {
      const image = sharp(bytes, { limitInputPixels: mostPixels, failOn: "error" });
      await image
        .autoOrient()
        .flatten({ background: "white" })
        .toColourspace("srgb")
        .resize({ width: largestSide, height: largestSide, fit: "inside", withoutEnlargement: true })
        .png()
        .toFile(join(folder, `${String(i).padStart(2, "0")}.png`))
        .catch((error: Error) => {
          const why = error.message.split("\n")[0];
          throw new TillerError(
            `${name.slice(0, 80)} cannot be read as a picture (${why}); save it again as JPEG or PNG`,
          );
        });
    }
    await rename(folder, data.upload(id));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { id, pictures: files.length };
}
