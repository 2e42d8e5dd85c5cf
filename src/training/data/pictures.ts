/** A folder of a person's own pictures, read for training. */
import { exists, join } from "#bytes";
import { readCovering } from "#images";
import { readText } from "../../bytes/json-file.ts";
import { captionFileOf, pictureNames } from "../../images/folder.ts";
import { type Planes, planesOf } from "../../images/pixels.ts";

export interface TrainingPicture {
  readonly file: string;
  readonly planes: Planes;
  /** The text of the `.txt` file beside the picture. */
  readonly caption: string | undefined;
}

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
    pictures.push({
      file,
      planes: planesOf((await readCovering(file, size)).data, size),
      caption: caption === "" ? undefined : caption,
    });
  }
  return pictures;
}
