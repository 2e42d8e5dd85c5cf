/**
 * Switches off ONNX Runtime's telemetry, which is on by default on Linux and macOS: it writes a device id and an event store to
 * the user's cache, and scans the process's command line, crashing on a long one.
 *
 * The library reads the variable when it is loaded, so this module must be imported before it, in the main thread: only there
 * does `process.env` change the process's actual environment.
 */
import { isMainThread } from "node:worker_threads";
import { TillerError } from "../../errors/index.ts";

const variable = "ORT_DISABLE_TELEMETRY";

if (isMainThread) process.env[variable] = "1";

/** @throws TillerError in a worker thread of a process whose telemetry is on. */
export function refuseTelemetry(): void {
  if (process.env[variable] === "1") return;
  throw new TillerError(
    "telemetry-in-worker",
    `Tiller is used in a worker thread, from which ONNX Runtime's telemetry cannot be switched off: set ${variable}=1 in the environment, or import tillerjs in the main thread first.`,
  );
}
