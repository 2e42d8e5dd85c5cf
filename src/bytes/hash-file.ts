/** Hashes files to identify their contents. */
import { startHash, withSource } from "#bytes";
import type { StartedHash } from "./port.ts";

/** Bytes read at most: all of smaller files, evenly spaced pieces of larger ones, which is enough to tell weights apart. */
const whole = 64 << 20;
const piece = 1 << 20;

/**
 * Adds a file's length and contents to `hash`.
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

/** The same for a file in memory. */
export function hashBytes(hash: StartedHash, bytes: Uint8Array): void {
  hash.update(String(bytes.length));
  const stride = bytes.length <= whole ? piece : Math.floor(bytes.length / (whole / piece));
  for (let at = 0; at < bytes.length; at += stride) hash.update(bytes.subarray(at, at + piece));
}

/** SHA-256 of a whole file. */
export const sha256Of = (file: string): Promise<string> =>
  withSource(file, async (source) => {
    const hash = startHash();
    for (let at = 0; at < source.size; at += piece) hash.update(await source.read(at, piece));
    return hash.digest();
  });
