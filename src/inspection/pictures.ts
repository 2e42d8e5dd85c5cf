/** Describes a folder of pictures: what training would use, and what it would leave out. */
import { readCaption } from "../images/captions.ts";
import { pictureFolderOrEmpty, pictureWarnings } from "../images/folder.ts";

/** A folder of pictures for training. */
export interface PicturesInspection {
  /** The kind of description. */
  readonly kind: "pictures";
  /** The folder as given. */
  readonly folder: string;
  /** How many pictures there are. */
  readonly pictures: number;
  /** How many of them have a caption. */
  readonly captions: number;
  /** Warnings about files and frames that are left out, and about kohya's folders. */
  readonly warnings: readonly string[];
}

/** Undefined if there are no pictures, not even in unsupported formats. @throws TillerError naming a caption that cannot be read. */
export async function inspectPictures(folder: string): Promise<PicturesInspection | undefined> {
  const found = await pictureFolderOrEmpty(folder);
  const unread = found.leftOut.some(({ name, picture }) => picture && !name.endsWith("/"));
  if (found.pictures.length === 0 && !unread) return undefined;
  let captions = 0;
  for (const { caption } of found.pictures) if (caption && (await readCaption(caption)) !== undefined) captions++;
  return {
    kind: "pictures",
    folder,
    pictures: found.pictures.length,
    captions,
    warnings: await pictureWarnings(found),
  };
}
