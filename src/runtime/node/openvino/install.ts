/** Installs OpenVINO with the user's pip into Tiller's folder. */
import { rename, rm } from "node:fs/promises";
import { TillerError } from "../../../errors/index.ts";
import { type PipOptions, pip } from "../pip.ts";
import { findLibrary, installFolder } from "./find.ts";

/** Options for installing OpenVINO. */
export interface OpenVinoInstall extends PipOptions {
  /** A local wheel file to install. */
  readonly wheel?: string | undefined;
}

/** The releases that Tiller was tested with. */
const release = "openvino>=2026.0,<2027";

/**
 * Installs OpenVINO (about 100 MB) where Tiller looks first, replacing any that is there.
 *
 * @returns The file of its C library.
 * @throws TillerError `openvino-install-failed` if there is no pip, or it fails.
 */
export async function installOpenVino({ wheel, ...options }: OpenVinoInstall = {}): Promise<string> {
  const folder = installFolder();
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  // Without dependencies, because only the C library is used.
  const args = ["install", "--no-deps", "--target", partial, wheel ?? release];
  try {
    const failed = await pip(args, options);
    if (failed) throw refusal(failed);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return findLibrary();
}

const refusal = (failed: NonNullable<Awaited<ReturnType<typeof pip>>>): TillerError =>
  new TillerError(
    "openvino-install-failed",
    "said" in failed
      ? `pip could not install OpenVINO (${failed.said}): download its wheel and pass it with --wheel FILE.`
      : "OpenVINO is installed with pip, and there is no Python here: install Python 3 with pip, or set TILLER_OPENVINO to the folder of OpenVINO's libraries.",
  );
