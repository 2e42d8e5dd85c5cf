/** Errors that come from another process. */
import { type ErrorCode, errorRows, TillerError } from "../errors/index.ts";

/** The error of a text by `errorText`. */
export function errorFrom(text: string): Error {
  const [, code, message] = /^([a-z0-9-]+): (.*)$/s.exec(text) ?? [];
  return code !== undefined && Object.hasOwn(errorRows, code)
    ? new TillerError(code as ErrorCode, message!)
    : new Error(text);
}
