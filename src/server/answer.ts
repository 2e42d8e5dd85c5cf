/** How failures are reported to clients, which may be on other machines. */
import { type ErrorCode, errorRows, TillerError, withoutFolders } from "../index.ts";

export interface Answer {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 500;
  readonly message: string;
  /** A code of docs/errors.md; undefined for a defect. */
  readonly code: ErrorCode | undefined;
}

/** Absolute folders before a name: libraries' messages contain them too, and `paths` does not list those. */
const folders = /(?<![\w.:/\\~-])(?:file:\/\/)?(?:[a-z]:)?[\\/](?:[^\s\\/:"'`()]+[\\/])+/gi;

/** A text for clients: every path on this machine, including `paths`, is reduced to its last name. */
export const withoutPlaces = (message: string, paths: readonly string[] = []): string =>
  withoutFolders({ message, paths }).replace(folders, "");

/** The answer to a failure. A defect's message may contain anything, so it goes to the server's own output only. */
export function answerTo(error: unknown): Answer {
  if (!(error instanceof TillerError)) {
    process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error));
    const message = "this is a defect of Tiller; the server's own output says more.";
    return { status: 500, message, code: undefined };
  }
  const { code, kind, message, paths } = error;
  const status = errorRows[code].status ?? (kind === "usage" ? 400 : 422);
  return { status, message: withoutPlaces(message, paths), code };
}
