/** A folder of a person's own pictures, read for training. */
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
  /** What Tiller drew it as, if it did; one that tells nothing of itself is a person's own. */
  readonly drawnAs: string | undefined;
}

export interface TrainingPictures {
  readonly pictures: readonly TrainingPicture[];
  /** See `picturesIdentity`. */
  readonly identity: string;
}

/**
 * The pictures of a folder in the order of their names, each resized and cut to size x size.
 *
 * Every picture is decoded here, so a broken one is known before training starts. Each file is opened once.
 *
 * @throws TillerError if the folder is missing or has no pictures, or naming the first that cannot be read.
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
