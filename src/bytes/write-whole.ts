/** Files written from memory. */
import { writeAtomically } from "#bytes";

/** Writes a file whole, from bytes or text. @throws TillerError if the disk or the folder refuses. */
export function writeWhole(file: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return writeAtomically(file, (put) => put(bytes));
}
