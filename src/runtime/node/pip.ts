/** Runs the user's pip. */
import { spawn } from "node:child_process";

/** Options for running pip. */
export interface PipOptions {
  /** Stops pip. */
  readonly signal?: AbortSignal | undefined;
  /** Called with each line that pip prints. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/**
 * Runs pip with the first Python that exists.
 *
 * @returns Undefined if it succeeded; otherwise the last line that it printed, or `noPython`.
 */
export async function pip(
  args: readonly string[],
  { signal, onLine }: PipOptions,
): Promise<{ noPython: true } | { said: string } | undefined> {
  for (const program of ["python3", "python"]) {
    const outcome = await run(program, ["-m", "pip", ...args, "--disable-pip-version-check"], signal, onLine);
    signal?.throwIfAborted();
    if (outcome === undefined) continue;
    if (outcome.code === 0) return undefined;
    return { said: outcome.lastLine || `exit code ${outcome.code}` };
  }
  return { noPython: true };
}

/** Runs a program; undefined if it does not exist. */
function run(program: string, args: readonly string[], signal: AbortSignal | undefined, onLine: PipOptions["onLine"]) {
  return new Promise<{ code: number | null; lastLine: string } | undefined>((done, fail) => {
    const child = spawn(program, args, { signal, stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
    let lastLine = "";
    const tell = (text: Buffer) => {
      for (const line of text.toString().split("\n")) {
        if (line.trim() === "") continue;
        lastLine = line.trim();
        onLine?.(lastLine);
      }
    };
    child.stdout.on("data", tell);
    child.stderr.on("data", tell);
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") done(undefined);
      else fail(error);
    });
    child.on("close", (code) => done({ code, lastLine }));
  });
}
