/** Installs OpenVINO with the user's pip into Tiller's folder. */
import { spawn } from "node:child_process";
import { rename, rm } from "node:fs/promises";
import { TillerError } from "../../../errors/index.ts";
import { findLibrary, installFolder } from "./find.ts";

/** Options for installing OpenVINO. */
export interface OpenVinoInstall {
  /** A local wheel file to install. */
  readonly wheel?: string | undefined;
  /** Stops pip. */
  readonly signal?: AbortSignal | undefined;
  /** Called with each line that pip prints. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** The releases that Tiller was tested with. */
const release = "openvino>=2026.0,<2027";

/**
 * Installs OpenVINO (about 100 MB) where Tiller looks first, replacing any that is there.
 *
 * @returns The file of its C library.
 * @throws TillerError `openvino-install-failed` if there is no pip, or it fails.
 */
export async function installOpenVino({ wheel, signal, onLine }: OpenVinoInstall = {}): Promise<string> {
  const folder = installFolder();
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  // Without dependencies, because only the C library is used.
  const pip = [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--no-deps",
    "--target",
    partial,
    wheel ?? release,
  ];
  try {
    await runFirst(["python3", "python"], pip, signal, onLine);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return findLibrary();
}

/** Runs the first program that exists. */
async function runFirst(
  programs: readonly string[],
  args: readonly string[],
  signal: AbortSignal | undefined,
  onLine: OpenVinoInstall["onLine"],
): Promise<void> {
  for (const program of programs) {
    const outcome = await run(program, args, signal, onLine);
    signal?.throwIfAborted();
    if (outcome === undefined) continue;
    if (outcome.code === 0) return;
    throw new TillerError(
      "openvino-install-failed",
      `pip could not install OpenVINO (${outcome.lastLine || `exit code ${outcome.code}`}): download its wheel and pass it with --wheel FILE.`,
    );
  }
  throw new TillerError(
    "openvino-install-failed",
    "There is no Python here to install OpenVINO with: install Python 3 with pip, or set TILLER_OPENVINO to the folder of its libraries.",
  );
}

/** Runs a program; undefined if it does not exist. */
function run(
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
  onLine: OpenVinoInstall["onLine"],
) {
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
