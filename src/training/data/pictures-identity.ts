/** What tells a set of pictures from another of the same names. */

import { basename, exists, join, startHash } from "#bytes";
import { hashFile } from "../../bytes/hash-file.ts";
import { captionFileOf, pictureNames } from "../../images/folder.ts";

/**
 * Of the pictures in a folder and their captions. Experiments find by it what they have done: it stays as it is.
 *
 * @throws TillerError if the folder is missing or has no pictures, or one cannot be read.
 */
export async function picturesIdentity(folder: string): Promise<string> {
  const hash = startHash();
  for (const name of await pictureNames(folder)) {
    const caption = captionFileOf(join(folder, name));
    for (const file of [join(folder, name), ...((await exists(caption)) ? [caption] : [])]) {
      hash.update(basename(file));
      await hashFile(hash, file);
    }
  }
  return hash.digest();
}
