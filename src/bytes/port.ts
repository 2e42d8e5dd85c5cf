/**
 * What the core needs from its platform to find, read and write files. `node/` and `web/` each export exactly this;
 * package.json's `#bytes` picks one of them.
 *
 * Files are named by strings: paths in Node, addresses (or paths in the private file system) in a browser.
 */
import type { ByteSource } from "./source.ts";

export interface BytesPort {
  join(...parts: readonly string[]): string;
  dirname(path: string): string;
  basename(path: string, extension?: string): string;
  /** ".png" for "a.png"; "" if there is none. */
  extname(path: string): string;
  /** The absolute path. */
  resolve(path: string): string;
  /** Makes an existing file's path absolute, so that it is valid from any folder; hub ids and other names are unchanged. */
  placeOf(name: string): string;
  /** The path of a file in Tiller's own package. */
  packageFile(path: string): string;
  /** The folder for data that can be made again. */
  cacheFolder(): string;

  /** Passes a plain file to `use`. @throws TillerError if it does not exist, may not be read, or is a folder or a device. */
  withSource<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T>;
  exists(path: string): Promise<boolean>;
  kindOf(path: string): Promise<"file" | "folder" | undefined>;
  /** The names in a folder. @throws An error whose `code` is ENOENT, ENOTDIR or another. */
  list(folder: string): Promise<string[]>;
  /** A stamp that changes when the file's contents may have changed. */
  stampOf(file: string): Promise<string>;

  /** The file appears complete or not at all. @throws TillerError if it cannot be written. */
  writeAtomically(file: string, write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<void>;
  appendText(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
  makeFolder(folder: string): Promise<void>;
  /** @throws TillerError if a file of this name could not be written. */
  refuseUnwritable(file: string): Promise<void>;
  /** Takes a lock and returns a function that releases it; undefined if it is held by another. */
  hold(lock: string): Promise<(() => Promise<void>) | undefined>;

  /** SHA-256, in hexadecimal. */
  startHash(): StartedHash;
}

export interface StartedHash {
  update(data: Uint8Array | string): void;
  digest(): Promise<string>;
}
