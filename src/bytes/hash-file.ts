/** What tells a file's contents from others. */
import { startHash, withSource } from "#bytes";
import type { StartedHash } from "./port.ts";

/** Files up to this are read whole, of larger ones so much in even strides: enough to tell weights apart. */
const whole = 64 << 20;
const piece = 1 << 20;

/**
 * Puts a file's length and contents into `hash`.
 *
 * @throws TillerError if it does not exist, may not be read, or is not a plain file.
 */
export const hashFile = (hash: StartedHash, file: string): Promise<void> =>
  withSource(file, async (source) => {
    const { size } = source;
    hash.update(String(size));
    const stride = size <= whole ? piece : Math.floor(size / (whole / piece));
    for (let at = 0; at < size; at += stride) hash.update(await source.read(at, Math.min(piece, size - at)));
  });

/** SHA-256 of all of a file. */
export const sha256Of = (file: string): Promise<string> =>
  withSource(file, async (source) => {
    const hash = startHash();
    for (let at = 0; at < source.size; at += piece) hash.update(await source.read(at, piece));
    return hash.digest();
  });
