/** Reads a folder of pictures for training. */
import { basename, exists, extname, join, startHash, withSource } from "#bytes";
import { decodeCovering } from "#images";
import { hashBytes } from "../../bytes/hash-file.ts";
import { sourceOf } from "../../bytes/source.ts";
import { captionFileOf, pictureNames } from "../../images/folder.ts";
import { type Planes, planesOf } from "../../images/pixels.ts";
import { recipeIn } from "../../recipe/read-recipe.ts";

export interface TrainingPicture {
  readonly file: string;
  readonly planes: Planes;
  /** The text of the `.txt` file beside the picture. */
  readonly caption: string | undefined;
  /** The prompt that Tiller drew it with; undefined if it has no recipe, and so is a user's own picture. */
  readonly drawnAs: string | undefined;
}

export interface TrainingPictures {
  readonly pictures: readonly TrainingPicture[];
  /** See `picturesIdentity`. */
  readonly identity: string;
}

/**
 * The pictures of a folder in the order of their names, each resized and cropped to size x size.
 *
 * Every picture is decoded here, so that a broken one is found before training starts. Each file is opened once.
 *
 * @throws TillerError if the folder is missing or has no pictures, or a picture cannot be read (the first is named).
 */
export async function readPictures(folder: string, size: number, signal?: AbortSignal): Promise<TrainingPictures> {
  const pictures: TrainingPicture[] = [];
  const hash = startHash();
  const read = async (file: string): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await withSource(file, (source) => source.read(0, source.size));
    hash.update(basename(file));
    hashBytes(hash, bytes);
    return bytes;
  };
  for (const name of await pictureNames(folder)) {
    signal?.throwIfAborted();
    const file = join(folder, name);
    const bytes = await read(file);
    const planes = planesOf((await decodeCovering(file, bytes, size)).data, size);
    const drawnAs = extname(file) === ".png" ? (await recipeIn(sourceOf(file, bytes)))?.request.prompt : undefined;
    const text = captionFileOf(file);
    const caption = (await exists(text)) ? new TextDecoder().decode(await read(text)).trim() : "";
    pictures.push({ file, planes, caption: caption === "" ? undefined : caption, drawnAs });
  }
  return { pictures, identity: await hash.digest() };
}
