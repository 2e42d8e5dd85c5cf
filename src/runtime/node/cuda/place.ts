/** Where ONNX Runtime looks for its CUDA provider, and where Tiller installs it. */
import { access, lstat, readdir, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../../bytes/node/paths.ts";
import { TillerError } from "../../../errors/index.ts";
import { runtimeVersion } from "../devices.ts";

/** In the order in which ONNX Runtime loads them. */
export const providers = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"] as const;

export interface Places {
  /** The folder of ONNX Runtime's own library, the only place where it looks for providers. */
  readonly runtime: string;
  /** The folder that `tiller cuda install` uses for this version of ONNX Runtime. */
  readonly installed: string;
}

export async function places(): Promise<Places> {
  const packaged = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return {
    runtime: join(packaged, "bin", "napi-v6", "linux", "x64"),
    installed: join(cacheFolder(), "cuda", await runtimeVersion()),
  };
}

/**
 * Links the installed providers into the folder where ONNX Runtime looks for them.
 *
 * @throws TillerError `cuda-install-failed` if links cannot be made there.
 */
export async function linkProviders({ runtime, installed }: Places): Promise<void> {
  for (const name of providers) {
    const link = join(runtime, name);
    try {
      if (await lstat(link).catch(() => undefined)) await rm(link);
      await symlink(join(installed, name), link);
    } catch (error) {
      throw new TillerError(
        "cuda-install-failed",
        `${link} cannot be linked to ${join(installed, name)}: give this user write access to that folder, or make the link yourself.`,
        { paths: [link, join(installed, name)], cause: error },
      );
    }
  }
}

/** Whether a path exists; links are followed. */
export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Paths of the installed NVIDIA libraries. */
export async function nvidiaLibraries({ installed }: Pick<Places, "installed">): Promise<string[]> {
  const folder = join(installed, "nvidia");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory() && /^lib.+\.so(\.\d+)*$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
