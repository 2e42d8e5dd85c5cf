/** What a failure is to a client, who may be on another machine. */
import { type ErrorCode, errorRows, TillerError, withoutFolders } from "../index.ts";

export interface Answer {
  readonly status: 400 | 404 | 409 | 422 | 429 | 500;
  readonly message: string;
  /** One of docs/errors.md; none for a defect. */
  readonly code: ErrorCode | undefined;
}

/** The answer to a failure. Of a defect only that it is one: its words, which may hold anything, go to the server's own output. */
export function answerTo(error: unknown): Answer {
  if (!(error instanceof TillerError)) {
    process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error));
    const message = "this is a defect of Tiller; the server's own output says more.";
    return { status: 500, message, code: undefined };
  }
  const { code, kind } = error;
  return { status: errorRows[code].status ?? (kind === "usage" ? 400 : 422), message: withoutFolders(error), code };
}
