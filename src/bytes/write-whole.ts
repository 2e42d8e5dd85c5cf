/** Writes files from memory. */
import { writeAtomically } from "#bytes";

/** Writes bytes or text to a file atomically. @throws TillerError if the file cannot be written. */
export function writeWhole(file: string, contents: Uint8Array | string): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return writeAtomically(file, (put) => put(bytes));
}
