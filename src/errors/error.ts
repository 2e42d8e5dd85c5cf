import type { ErrorRow } from "./row.ts";
import { type ErrorCode, errorRows } from "./rows.ts";

/** What an error has beside its code and its message. */
export interface ErrorDetails {
  /** Files and folders of this machine that the message names, spelled as it spells them. */
  readonly paths?: readonly string[] | undefined;
  /** The failure that this one is made of. */
  readonly cause?: unknown;
}

/**
 * A failure that a person can act on. Anything else that is thrown is a bug, or an `AbortSignal`'s reason.
 *
 * `code` says which failure it is and stays the same from version to version, `message` is one sentence saying what, where
 * and what to do; docs/errors.md lists the codes.
 */
export class TillerError extends Error {
  /** Always "TillerError". */
  override name = "TillerError";
  /** Which failure it is. */
  readonly code: ErrorCode;
  /** What the message names on this machine; who answers others leaves the folders out ({@link withoutFolders}). */
  readonly paths: readonly string[];

  /** The message is one sentence; every path of this machine that it names stands in the details' `paths`. */
  constructor(code: ErrorCode, message: string, { paths = [], cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.paths = [...paths, ...pathsOf(cause)].filter((path) => path !== "");
  }

  /** Whether the call was wrong, or something that it needs is. */
  get kind(): ErrorRow["kind"] {
    return errorRows[this.code].kind;
  }
}

/** A message made around another's names what that one names. */
function pathsOf(cause: unknown): readonly string[] {
  if (cause instanceof TillerError) return cause.paths;
  if (!(cause instanceof Error)) return [];
  const { path, dest } = cause as { readonly path?: unknown; readonly dest?: unknown };
  return [path, dest].filter((name) => typeof name === "string");
}

/** The message with every path shortened to its last name: for answers that leave this machine. */
export function withoutFolders({ message, paths }: Pick<TillerError, "message" | "paths">): string {
  const longestFirst = [...paths].sort((a, b) => b.length - a.length);
  return longestFirst.reduce((text, path) => text.replaceAll(path, lastName(path)), message);
}

const lastName = (path: string): string => path.split(/[\\/]/).findLast((name) => name !== "") ?? path;
