/** Bytes, wherever they lie: a file, a picked blob, an address. */

/** A file, a picked blob, an address: anything whose bytes can be read from the middle. */
export interface ByteSource {
  /** What a person calls it, in messages: a path or an address. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Absolute path with links resolved, where it is a file of this machine: the runtime can use it in place. */
  readonly path?: string | undefined;
  /** Whether what is read is sent over a network each time. */
  readonly remote?: boolean | undefined;
  /** The bytes from `at` on, `length` of them; fewer only where the source ends. */
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A source that holds nothing: of tensors whose shapes alone count. */
export const absentSource = (path: string): ByteSource => ({
  name: path,
  path,
  size: 0,
  read: async () => new Uint8Array(0),
});

/** A file that is in memory. */
export const sourceOf = (name: string, bytes: Uint8Array<ArrayBuffer>): ByteSource => ({
  name,
  size: bytes.length,
  read: async (at, length) => bytes.subarray(at, at + length),
});
