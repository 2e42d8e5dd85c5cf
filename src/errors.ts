/** The two kinds of failure a person is told about in one sentence. Anything else that is thrown is a bug. */

/** Something outside Tiller is wrong (a file, a size, a device). The message says what, where, and what to do. Exit code 1. */
export class TillerError extends Error {
  override name = "TillerError";
}

/** The call itself was wrong (an unknown option, a value out of range). Exit code 2. */
export class UsageError extends TillerError {
  override name = "UsageError";
}
