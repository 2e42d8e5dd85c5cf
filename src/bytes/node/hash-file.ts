/** What tells a file's contents from others. */
import type { Hash } from "node:crypto";
import { readFully, withRegularFile } from "./regular-file.ts";

/** Files up to this are read whole, of larger ones so much in even strides: enough to tell weights apart. */
const whole = 64 << 20;
const piece = 1 << 20;

/**
 * Puts a file's length and contents into `hash`.
 *
 * @throws TillerError if it does not exist, may not be read, or is not a plain file.
 */
export const hashFile = (hash: Hash, file: string): Promise<void> =>
  withRegularFile(file, async ({ handle, size }) => {
    hash.update(String(size));
    const stride = size <= whole ? piece : Math.floor(size / (whole / piece));
    for (let at = 0; at < size; at += stride) {
      const bytes = new Uint8Array(Math.min(piece, size - at));
      await readFully(handle, bytes, at);
      hash.update(bytes);
    }
  });
