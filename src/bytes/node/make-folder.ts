/** Folders that may be there already. */
import { mkdir } from "node:fs/promises";
import { refusal } from "./refusal.ts";

/**
 * Makes a folder and those it lies in, as far as they are missing.
 *
 * @throws TillerError if the disk or the folder refuses.
 */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw refusal(error, folder);
  });
}
