/**
 * Loads the libraries that ONNX Runtime's CUDA provider needs into the process, or names those that are missing.
 *
 * NVIDIA's libraries are not on the loader's search path, so they are loaded by path first: the loader finds a library that is
 * already loaded by its name. `LD_LIBRARY_PATH` is not needed.
 */
import { readFile } from "node:fs/promises";
import os from "node:os";
import { basename, join } from "node:path";
import { TillerError } from "../../../errors/index.ts";
import { neededBy } from "./needed.ts";
import { isThere, linkProviders, nvidiaLibraries, type Places, places, providers } from "./place.ts";

export interface CudaHost extends Places {
  /** Loads a shared library permanently, by path or name; false if that fails. */
  readonly load: (library: string) => boolean;
  /** The file with the version of NVIDIA's driver. */
  readonly driver: string;
}

/** glibc's RTLD_NODELETE: Node closes at once any library that is not a Node module. */
const stays = 0x1000;

/** Loads a shared library into the process permanently. */
export function loadLibrary(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, os.constants.dlopen.RTLD_NOW | stays);
    return true;
  } catch (error) {
    // Node reports this only after it has loaded the library.
    return /did not self-register/.test((error as Error).message);
  }
}

const thisHost = async (): Promise<CudaHost> => ({
  ...(await places()),
  load: loadLibrary,
  driver: "/proc/driver/nvidia/version",
});

/**
 * The libraries that the provider needs, dependencies first. They load their own parts from their own folders.
 */
const wanted = ["libcudart", "libnvrtc", "libcublasLt", "libcublas", "libcurand", "libcufft", "libcudnn"];

/** The provider loads cuDNN at runtime, so its file does not list it. */
const cudnn = "libcudnn.so.9";

/** The oldest major version of NVIDIA's driver for each CUDA. */
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
    // onnxruntime-node was reinstalled.
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
    throw missing(`NVIDIA's driver is ${driver}, and CUDA ${cuda} needs ${least} or later: update the driver`);
}

const missing = (what: string): TillerError => new TillerError("cuda-missing", `${what}.`);

/** The {@link wanted} libraries, in that order. */
const inOrder = (libraries: readonly string[]): string[] =>
  wanted.flatMap((name) => libraries.filter((library) => basename(library).startsWith(`${name}.`)));

/** "580.65.06", for example; undefined if it cannot be read. */
async function driverVersion(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return /\s(\d{3,4}(?:\.\d+)+)\s/.exec(text)?.[1];
}
