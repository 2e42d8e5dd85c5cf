/** Installs ONNX Runtime's CUDA provider and the NVIDIA libraries that it needs into Tiller's cache folder. */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { TillerError } from "../../../errors/index.ts";
import { runtimeVersion } from "../devices.ts";
import { type PipOptions, pip } from "../pip.ts";
import { commitIn } from "./commit.ts";
import { linkProviders, type Places, places, providers } from "./place.ts";
import { openWheel } from "./wheel.ts";

/** How CUDA is installed. */
export interface CudaInstall extends PipOptions {
  /** A local wheel of onnxruntime-gpu; downloaded by default. */
  readonly wheel?: string | undefined;
}

const distribution = "onnxruntime-gpu";

/**
 * Installs what the device `cuda` needs besides NVIDIA's driver, replacing an earlier installation: the provider from the wheel of
 * onnxruntime-gpu, which must be the same build as onnxruntime-node, and the NVIDIA wheels that it requires.
 *
 * @returns The folder with all of them.
 * @throws TillerError `cuda-install-failed` if there is no pip, it fails, or the wheel's version or build is another.
 */
export async function installCuda({ wheel, ...options }: CudaInstall = {}, at?: Places): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw failed(`Tiller supports CUDA only on Linux x64, and this is ${process.platform} ${process.arch}.`);
  const place = at ?? (await places());
  const partial = `${place.installed}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    const file = wheel ?? (await download(join(partial, "wheel"), options));
    const { nvidia, unpack } = await ofThisBuild(file, place, join(partial, "runtime"));
    for (const name of providers) await unpack(name, join(partial, name));
    if (nvidia.length > 0)
      await runPip(["install", "--target", join(partial, "nvidia"), ...onlyWheels, ...nvidia], options);
    await rm(join(partial, "wheel"), { recursive: true, force: true });
    await rm(place.installed, { recursive: true, force: true });
    await rename(partial, place.installed);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  await linkProviders(place);
  return place.installed;
}

const onlyWheels = ["--only-binary", ":all:"];

async function download(folder: string, options: PipOptions): Promise<string> {
  const release = `${distribution}==${await runtimeVersion()}`;
  await runPip(["download", "--no-deps", "--dest", folder, ...onlyWheels, release], options);
  const [name] = (await readdir(folder)).filter((one) => one.endsWith(".whl"));
  if (name === undefined)
    throw failed(`pip downloaded no wheel of ${release}: download it and pass it with --wheel FILE.`);
  return join(folder, name);
}

async function ofThisBuild(file: string, { runtime }: Places, scratch: string) {
  const wheel = await openWheel(file);
  const version = await runtimeVersion();
  if (wheel.name !== distribution || wheel.version !== version) {
    throw failed(
      `${file} is ${wheel.name} ${wheel.version}, but the installed ONNX Runtime is ${version}: pass the wheel of ${distribution} ${version}.`,
      [file],
    );
  }
  const [theirs, ours] = [await wheel.commit(scratch), await commitIn(join(runtime, "libonnxruntime.so.1"))];
  await rm(scratch, { force: true });
  if (theirs !== undefined && ours !== undefined && theirs !== ours) {
    throw failed(
      `${file} was built from commit ${theirs}, but onnxruntime-node from ${ours}: they do not fit together; pass a wheel built from that commit.`,
      [file],
    );
  }
  return wheel;
}

async function runPip(args: readonly string[], options: PipOptions): Promise<void> {
  const outcome = await pip(args, options);
  if (!outcome) return;
  throw failed(
    "said" in outcome
      ? `pip could not get what CUDA needs (${outcome.said}): download ${distribution}'s wheel and pass it with --wheel FILE; PIP_FIND_LINKS names a folder with NVIDIA's.`
      : "CUDA's libraries are installed with pip, and there is no Python here: install Python 3 with pip.",
  );
}

const failed = (message: string, paths: readonly string[] = []): TillerError =>
  new TillerError("cuda-install-failed", message, { paths });
