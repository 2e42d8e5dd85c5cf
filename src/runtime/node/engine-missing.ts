/** ONNX Runtime's library for this machine that is not there or does not load, said as what a person can do. */
import { TillerError } from "../../errors/index.ts";

const codes: readonly unknown[] = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"];

/** An error of loading the library as a TillerError; any other as it is. */
export function engineMissing(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (!codes.includes((error as NodeJS.ErrnoException).code)) return error;
  return new TillerError(
    "engine-missing",
    `ONNX Runtime's library for ${process.platform} ${process.arch} is missing or does not load: install tillerjs again on this machine.`,
    { cause: error },
  );
}
