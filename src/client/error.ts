/** Errors of requests to the server. */
import type { ErrorCode } from "../errors/index.ts";

/** The server refused a request, failed at it, or did not answer. The message is one sentence that a person can act on. */
export class ApiError extends Error {
  /** Always "ApiError". */
  override name = "ApiError";
  /** HTTP's status; undefined if the server did not answer. */
  readonly status: number | undefined;
  /** The error code, stable across versions; undefined if the server gives none, as for a defect. */
  readonly code: ErrorCode | (string & {}) | undefined;

  /** Made by the client from the server's answer. */
  constructor(message: string, details: { status?: number; code?: string | undefined; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.code = details.code;
  }
}

/** The error for an unsuccessful answer, with the server's message if it has one. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const { error, code } = (await answer.json().catch(() => ({}))) as { error?: unknown; code?: unknown };
  return new ApiError(typeof error === "string" ? error : `the server answered ${answer.status}.`, {
    status: answer.status,
    code: typeof code === "string" ? code : undefined,
  });
}
