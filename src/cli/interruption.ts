/** Handles SIGINT and SIGTERM. */
import { orAborted } from "../aborted.ts";

/** The parts of `process` used here. */
export interface Interruptible {
  readonly pid: number;
  on(event: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  removeAllListeners(event: "SIGINT"): unknown;
  emit(event: "exit", code: number): unknown;
  kill(pid: number, signal: "SIGINT"): unknown;
}

/** A signal that the first SIGINT or SIGTERM aborts; the second ends the process at once. */
export function interruptionOf(process: Interruptible): AbortSignal {
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) endNow(process);
      else interruption.abort();
    });
  }
  return interruption.signal;
}

/**
 * Ends the process as an unhandled Ctrl-C would, which shells report as 130.
 *
 * `process.exit` would stop the engine's thread first, and ONNX Runtime's binding aborts the process if its thread is stopped
 * while building or running a network.
 */
export function endNow(process: Interruptible): void {
  process.emit("exit", 130);
  process.removeAllListeners("SIGINT");
  process.kill(process.pid, "SIGINT");
}

/**
 * The result of `work`; if the signal is aborted first, throws its reason at once and passes the later result to `discard`.
 */
export async function orInterrupted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  discard: (late: T) => unknown,
): Promise<T> {
  try {
    return await orAborted(work, signal);
  } catch (error) {
    if (signal.aborted) work.then(discard).catch(() => {});
    throw error;
  }
}
