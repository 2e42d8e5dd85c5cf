/** A hash that tells sets of pictures with the same names apart. */

import { basename, exists, join, startHash } from "#bytes";
import { hashFile } from "../../bytes/hash-file.ts";
import { captionFileOf, pictureNames } from "../../images/folder.ts";

/**
 * Of the pictures in a folder and their captions. Experiments find finished work by it, so it must not change.
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
