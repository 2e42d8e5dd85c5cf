/** What a folder of pictures holds: what is learned from it, and what is left out. */
import { readCaption } from "../images/captions.ts";
import { pictureFolderOrEmpty, pictureWarnings } from "../images/folder.ts";

/** A folder of pictures to learn from. */
export interface PicturesInspection {
  /** Which kind of file or folder it is. */
  readonly kind: "pictures";
  /** As it was named. */
  readonly folder: string;
  /** How many there are. */
  readonly pictures: number;
  /** How many of them have a caption. */
  readonly captions: number;
  /** Sentences about files and frames that are left out, and about kohya's folders. */
  readonly warnings: readonly string[];
}

/** Undefined if there are neither pictures nor files of kinds that are not read. @throws TillerError naming a caption that cannot be read. */
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
