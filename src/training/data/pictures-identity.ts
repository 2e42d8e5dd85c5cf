/** A hash that tells sets of pictures with the same names apart. */

import { startHash } from "#bytes";
import { hashBytes, hashFile } from "../../bytes/hash-file.ts";
import { captionBytes } from "../../images/captions.ts";
import { pictureFolder } from "../../images/folder.ts";

/**
 * Of the pictures in a folder and their captions. Experiments find finished work by it, so it must not change.
 *
 * @throws TillerError if the folder is missing or has no pictures, or one cannot be read.
 */
export async function picturesIdentity(folder: string): Promise<string> {
  const hash = startHash();
  for (const { name, file, caption } of (await pictureFolder(folder)).pictures) {
    hash.update(name);
    await hashFile(hash, file);
    if (!caption) continue;
    hash.update(caption.name);
    hashBytes(hash, await captionBytes(caption));
  }
  return hash.digest();
}
