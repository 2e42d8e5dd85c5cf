/** Errors that come from another process. */
import { type ErrorCode, errorRows, TillerError } from "../errors/index.ts";

/** BullMQ's reason when the workers of a job died so often that it is not given to another. */
const stalled = /^job stalled more than/;

/** The error of a text by `errorText`. */
export function errorFrom(text: string): Error {
  if (stalled.test(text))
    return new TillerError("worker-ended", "its workers ended one after the other while they did it.");
  const [, code, message] = /^([a-z0-9-]+): (.*)$/s.exec(text) ?? [];
  return code !== undefined && Object.hasOwn(errorRows, code)
    ? new TillerError(code as ErrorCode, message!)
    : new Error(text);
}
