import type { ErrorRow } from "./row.ts";
import { type ErrorCode, errorRows } from "./rows.ts";

/** What an error has besides its code and message. */
export interface ErrorDetails {
  /** Local files and folders in the message, spelled as in the message. */
  readonly paths?: readonly string[] | undefined;
  /** The underlying failure. */
  readonly cause?: unknown;
}

/**
 * A failure that a user can act on. Anything else that is thrown is a bug, or an `AbortSignal`'s reason.
 *
 * `code` identifies the failure and does not change between versions; `message` is one sentence that says what, where and what
 * to do. docs/errors.md lists the codes.
 */
export class TillerError extends Error {
  /** Always "TillerError". */
  override name = "TillerError";
  /** Which failure it is. */
  readonly code: ErrorCode;
  /** Local paths in the message; {@link withoutFolders} shortens them in replies to other machines. */
  readonly paths: readonly string[];

  /** The message is one sentence; every local path in it is in the details' `paths`. */
  constructor(code: ErrorCode, message: string, { paths = [], cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.paths = [...paths, ...pathsOf(cause)].filter((path) => path !== "");
  }

  /** Whether the call was wrong (`usage`), or something outside Tiller (`failed`). */
  get kind(): ErrorRow["kind"] {
    return errorRows[this.code].kind;
  }
}

/** The local paths in the message of an error; a message that wraps another also contains those. */
export function pathsOf(cause: unknown): readonly string[] {
  if (cause instanceof TillerError) return cause.paths;
  if (!(cause instanceof Error)) return [];
  const { path, dest } = cause as { readonly path?: unknown; readonly dest?: unknown };
  return [path, dest].filter((name) => typeof name === "string");
}

/** The message with every path shortened to its last part, for replies to other machines. */
export function withoutFolders({ message, paths }: Pick<TillerError, "message" | "paths">): string {
  const longestFirst = [...paths].sort((a, b) => b.length - a.length);
  return longestFirst.reduce((text, path) => text.replaceAll(path, lastName(path)), message);
}

const lastName = (path: string): string => path.split(/[\\/]/).findLast((name) => name !== "") ?? path;
