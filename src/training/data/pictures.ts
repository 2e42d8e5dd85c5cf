/** Reads a folder of pictures for training. */
import { startHash, withSource } from "#bytes";
import { decodeCovering } from "#images";
import { hashBytes } from "../../bytes/hash-file.ts";
import { sourceOf } from "../../bytes/source.ts";
import { TillerError } from "../../errors/index.ts";
import { captionBytes, captionIn } from "../../images/captions.ts";
import { firstFrames, leftOutWarnings, pictureFolder } from "../../images/folder.ts";
import { hasMoreFrames } from "../../images/kinds.ts";
import { type Planes, planesOf, type Square } from "../../images/pixels.ts";
import { recipeIn } from "../../recipe/read-recipe.ts";

export interface TrainingPicture {
  /** Path relative to the folder. */
  readonly name: string;
  readonly file: string;
  /** Decodes the picture again, since thousands would not fit into memory. @throws TillerError if it has changed. */
  readonly planes: () => Promise<Planes>;
  /** The file's size, upright, and where the square was cut from it after resizing. */
  readonly sizes: Pick<Square, "original" | "crop">;
  /** How often it is shown relative to the others. */
  readonly repeats: number;
  /** The caption beside the picture, or from its folder's name. */
  readonly caption: string | undefined;
  /** The prompt that Tiller drew it with; undefined if it has no recipe, and so is a user's own picture. */
  readonly drawnAs: string | undefined;
}

export interface TrainingPictures {
  readonly pictures: readonly TrainingPicture[];
  /** See `picturesIdentity`. */
  readonly identity: string;
  /** Warnings about files and frames that are left out, and about folders whose names give repeats. */
  readonly warnings: readonly string[];
}

/**
 * The pictures of a folder in the order of their names, each resized and cropped to size x size.
 *
 * Every picture is decoded once and released, to find broken ones before training starts.
 *
 * @param most Reads only the first so many pictures.
 * @throws TillerError if the folder is missing or has no pictures, or naming the first picture or caption that cannot be read.
 */
export async function readPictures(
  folder: string,
  size: number,
  { signal, most = Number.POSITIVE_INFINITY }: { signal?: AbortSignal | undefined; most?: number } = {},
): Promise<TrainingPictures> {
  const found = await pictureFolder(folder);
  const pictures: TrainingPicture[] = [];
  const moving: string[] = [];
  const hash = startHash();
  for (const { name, file, repeats, caption: source } of found.pictures.slice(0, most)) {
    signal?.throwIfAborted();
    const bytes = await bytesOfFile(file);
    hash.update(name);
    hashBytes(hash, bytes);
    const { original, crop } = await decodeCovering(file, bytes, size);
    if (hasMoreFrames(bytes)) moving.push(name);
    const drawnAs = file.endsWith(".png") ? (await recipeIn(sourceOf(file, bytes)))?.request.prompt : undefined;
    let caption: string | undefined;
    if (source) {
      const words = await captionBytes(source);
      hash.update(source.name);
      hashBytes(hash, words);
      caption = captionIn(words, source);
    }
    const identity = await identityOf(bytes);
    const planes = async () => {
      const again = await bytesOfFile(file);
      if ((await identityOf(again)) !== identity)
        throw new TillerError("file-changed", `${file} changed during training: start again.`, { paths: [file] });
      return planesOf((await decodeCovering(file, again, size)).data, size);
    };
    pictures.push({ name, file, planes, sizes: { original, crop }, repeats, caption, drawnAs });
  }
  const warnings = [...leftOutWarnings(found.leftOut), ...firstFrames(moving), ...found.notes];
  return { pictures, identity: await hash.digest(), warnings };
}

const bytesOfFile = (file: string) => withSource(file, (source) => source.read(0, source.size));

async function identityOf(bytes: Uint8Array): Promise<string> {
  const hash = startHash();
  hash.update(bytes);
  return hash.digest();
}
