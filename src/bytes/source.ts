/** A file, a picked blob, an address: any source of bytes with random access. */
export interface ByteSource {
  /** Its name in messages: a path or an address. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Absolute path with links resolved, if it is a local file, which the runtime can use in place. */
  readonly path?: string | undefined;
  /** All its bytes, if they are in memory. */
  readonly bytes?: Uint8Array | undefined;
  /** Whether every read goes over the network. */
  readonly remote?: boolean | undefined;
  /**
   * Reads `length` bytes from `at`; fewer only at the end of the source.
   *
   * @param memory Memory of at least that length to read into, for a source that can.
   */
  read(at: number, length: number, memory?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>>;
}

/** An empty source, for tensors of which only the shapes matter. */
export const absentSource = (path: string): ByteSource => ({
  name: path,
  path,
  size: 0,
  read: async () => new Uint8Array(0),
});

/** A file in memory. */
export const sourceOf = (name: string, bytes: Uint8Array<ArrayBuffer>): ByteSource => ({
  name,
  size: bytes.length,
  bytes,
  read: async (at, length) => bytes.subarray(at, at + length),
});
