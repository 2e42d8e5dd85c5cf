/**
 * What the core asks of the place it runs in, to find, read and write files. `node/` and `web/` each export exactly this;
 * package.json's `#bytes` picks one of them.
 *
 * A file is named by a string: in Node a path, in a browser an address (or a name in its private file system).
 */
import type { ByteSource } from "./source.ts";

export interface BytesPort {
  join(...parts: readonly string[]): string;
  dirname(path: string): string;
  basename(path: string, extension?: string): string;
  /** ".png" of "a.png", "" where there is none. */
  extname(path: string): string;
  /** Absolute. */
  resolve(path: string): string;
  /** A name that exists as a file, made absolute, so that it holds from anywhere; hub ids and other names stay. */
  placeOf(name: string): string;
  /** Where a file of Tiller's own package lies. */
  packageFile(path: string): string;
  /** Where what can be made again is kept. */
  cacheFolder(): string;

  /** Hands a plain file to `use`. @throws TillerError if it does not exist, may not be read, or is a folder or a device. */
  withSource<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T>;
  exists(path: string): Promise<boolean>;
  kindOf(path: string): Promise<"file" | "folder" | undefined>;
  /** The names in a folder. @throws An error whose `code` is ENOENT, ENOTDIR or another. */
  list(folder: string): Promise<string[]>;
  /** Changes when the file's contents may have. */
  stampOf(file: string): Promise<string>;

  /** What is put appears under the file's name whole or not at all. @throws TillerError if the disk refuses. */
  writeAtomically(file: string, write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<void>;
  appendText(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
  makeFolder(folder: string): Promise<void>;
  /** @throws TillerError if a file of this name could not be written. */
  refuseUnwritable(file: string): Promise<void>;
  /** Takes a lock, and returns what gives it back; undefined if another has it. */
  hold(lock: string): Promise<(() => Promise<void>) | undefined>;

  /** SHA-256, in hexadecimal. */
  startHash(): StartedHash;
}

export interface StartedHash {
  update(data: Uint8Array | string): void;
  digest(): Promise<string>;
}
