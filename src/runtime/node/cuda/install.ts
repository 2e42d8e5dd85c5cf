/** Gets ONNX Runtime's CUDA provider, and NVIDIA's libraries that it runs on, into a folder of Tiller's. */
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
  /** A wheel of onnxruntime-gpu that is here already. */
  readonly wheel?: string | undefined;
}

const distribution = "onnxruntime-gpu";

/**
 * Installs what the device `cuda` needs besides NVIDIA's driver, in place of what is there: the provider out of
 * onnxruntime-gpu's wheel, of the very build that onnxruntime-node is, and NVIDIA's wheels that this one asks for.
 *
 * @returns The folder that holds them.
 * @throws TillerError `cuda-install-failed` if there is no pip, it fails, or the wheel is of another version or build.
 */
export async function installCuda({ wheel, ...options }: CudaInstall = {}, at?: Places): Promise<string> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw failed(`ONNX Runtime has CUDA on Linux x64 alone, and this is ${process.platform} ${process.arch}.`);
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
    throw failed(`pip brought no wheel of ${release}: download it and pass it with --wheel FILE.`);
  return join(folder, name);
}

async function ofThisBuild(file: string, { runtime }: Places, scratch: string) {
  const wheel = await openWheel(file);
  const version = await runtimeVersion();
  if (wheel.name !== distribution || wheel.version !== version) {
    throw failed(
      `${file} is ${wheel.name} ${wheel.version}, but ONNX Runtime is ${version} here: pass the wheel of ${distribution} ${version}.`,
      [file],
    );
  }
  const [theirs, ours] = [await wheel.commit(scratch), await commitIn(join(runtime, "libonnxruntime.so.1"))];
  await rm(scratch, { force: true });
  if (theirs !== undefined && ours !== undefined && theirs !== ours) {
    throw failed(
      `${file} was built from commit ${theirs}, but onnxruntime-node from ${ours}: their parts do not belong together; pass a wheel of that commit.`,
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
      : "There is no Python here to install CUDA's libraries with: install Python 3 with pip.",
  );
}

const failed = (message: string, paths: readonly string[] = []): TillerError =>
  new TillerError("cuda-install-failed", message, { paths });
