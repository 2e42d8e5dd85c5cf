/**
 * Brings what ONNX Runtime's CUDA provider needs into the process, and says by name what is missing.
 *
 * NVIDIA's libraries lie where no loader looks, so they are loaded by their paths first: a library that is there already
 * is found by its name, whoever asks for it, and `LD_LIBRARY_PATH` plays no part.
 */
import { readFile } from "node:fs/promises";
import os from "node:os";
import { basename, join } from "node:path";
import { TillerError } from "../../../errors/index.ts";
import { neededBy } from "./needed.ts";
import { isThere, linkProviders, nvidiaLibraries, type Places, places, providers } from "./place.ts";

export interface CudaHost extends Places {
  /** Loads a shared library by path or name, for good; whether it could be. */
  readonly load: (library: string) => boolean;
  /** The file in which NVIDIA's driver tells its version. */
  readonly driver: string;
}

/** glibc's: the library stays when it is closed. Node closes at once whatever is none of its own modules. */
const stays = 0x1000;

/** Loads a shared library into the process, for good. */
export function loadLibrary(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, os.constants.dlopen.RTLD_NOW | stays);
    return true;
  } catch (error) {
    // What is no module of Node's has been loaded by the time that Node says so.
    return /did not self-register/.test((error as Error).message);
  }
}

const thisHost = async (): Promise<CudaHost> => ({
  ...(await places()),
  load: loadLibrary,
  driver: "/proc/driver/nvidia/version",
});

/**
 * What the provider asks for by name, those that others need first. The parts of these that they load themselves lie
 * beside them, where they look.
 */
const wanted = ["libcudart", "libnvrtc", "libcublasLt", "libcublas", "libcurand", "libcufft", "libcudnn"];

/** cuDNN is not among the libraries that the provider's file names: it asks for it as it starts. */
const cudnn = "libcudnn.so.9";

/** The first major version of NVIDIA's driver that runs a CUDA. */
const leastDriver: Readonly<Record<string, number>> = { 12: 525, 13: 580 };

/** @throws TillerError `cuda-missing` naming the library, the driver or the version that is missing. */
export async function loadCuda(given?: CudaHost): Promise<void> {
  const host = given ?? (await thisHost());
  const [shared, provider] = providers.map((name) => join(host.runtime, name)) as [string, string];
  if (!host.load("libcuda.so.1"))
    throw missing("NVIDIA's driver is missing (libcuda.so.1): install the driver of your GPU");
  const linked = (await isThere(shared)) && (await isThere(provider));
  if (!linked) {
    if (!(await isThere(join(host.installed, basename(provider)))))
      throw missing(`ONNX Runtime's CUDA provider is missing (${basename(provider)}): run tiller cuda install`);
    // The package was installed anew.
    await linkProviders(host);
  }
  for (const library of inOrder(await nvidiaLibraries(host))) host.load(library);
  const needed = [...(await neededBy(provider)).filter((name) => /^lib(cu|nv)/.test(name)), cudnn];
  const cuda = /^libcudart\.so\.(\d+)/.exec(needed.find((name) => name.startsWith("libcudart")) ?? "")?.[1];
  const absent = needed.filter((name) => !host.load(name));
  if (absent.length > 0) {
    const of = cuda === undefined ? "" : `, of CUDA ${cuda}`;
    throw missing(`${absent.join(", ")} ${absent.length === 1 ? "is" : "are"} missing${of}: run tiller cuda install`);
  }
  const least = cuda === undefined ? undefined : leastDriver[cuda];
  const driver = await driverVersion(host.driver);
  if (least !== undefined && driver !== undefined && Number.parseInt(driver, 10) < least)
    throw missing(`NVIDIA's driver is ${driver}, and CUDA ${cuda} wants ${least} or later: update the driver`);
}

const missing = (what: string): TillerError => new TillerError("cuda-missing", `${what}.`);

/** Those that are {@link wanted}, in that order. */
const inOrder = (libraries: readonly string[]): string[] =>
  wanted.flatMap((name) => libraries.filter((library) => basename(library).startsWith(`${name}.`)));

/** "580.65.06"; undefined where the driver tells none. */
async function driverVersion(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return /\s(\d{3,4}(?:\.\d+)+)\s/.exec(text)?.[1];
}
