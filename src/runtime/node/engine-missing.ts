/** Reports that ONNX Runtime's library for this machine is missing or does not load. */
import { TillerError } from "../../errors/index.ts";

const codes: readonly unknown[] = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"];

/** Turns an error from loading the library into a TillerError; other errors are unchanged. */
export function engineMissing(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (!codes.includes((error as NodeJS.ErrnoException).code)) return error;
  return new TillerError(
    "engine-missing",
    `ONNX Runtime's library for ${process.platform} ${process.arch} is missing or does not load: install tillerjs again on this machine.`,
    { cause: error },
  );
}
