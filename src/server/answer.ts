/** What a failure is to a client, who may be on another machine. */
import { type ErrorCode, errorRows, TillerError, withoutFolders } from "../index.ts";

export interface Answer {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 500;
  readonly message: string;
  /** One of docs/errors.md; none for a defect. */
  readonly code: ErrorCode | undefined;
}

/** Folders in front of a name, from the disk's root on: the words of libraries have them too, and no list tells of those. */
const folders = /(?<![\w.:/\\~-])(?:file:\/\/)?(?:[a-z]:)?[\\/](?:[^\s\\/:"'`()]+[\\/])+/gi;

/** A text for clients: of what it names on this machine, `paths` among it, the last names are left. */
export const withoutPlaces = (message: string, paths: readonly string[] = []): string =>
  withoutFolders({ message, paths }).replace(folders, "");

/** The answer to a failure. Of a defect only that it is one: its words, which may hold anything, go to the server's own output. */
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
