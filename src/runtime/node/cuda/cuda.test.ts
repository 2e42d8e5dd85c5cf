/** What `tiller cuda install` accepts and refuses, and the order of loading; no GPU is needed. */
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { refusal } from "../../../../test/refusal.ts";
import { runtimeVersion } from "../devices.ts";
import { installCuda } from "./install.ts";
import { loadCuda, loadLibrary } from "./load.ts";
import { neededBy } from "./needed.ts";
import { type Places, providers } from "./place.ts";

let folder: string;
let place: Places;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-cuda-"));
  place = { runtime: join(folder, "runtime"), installed: join(folder, "installed") };
  await mkdir(place.runtime);
  await writeFile(join(place.runtime, "libonnxruntime.so.1"), runtimeOf("f2c39fe2f"));
  vi.stubEnv("PATH", folder); // no Python
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const [shared, provider] = providers;
const runtimeOf = (commit: string) =>
  `${"\0".repeat(5000)}ORT Build Info: git-commit-id=${commit}, build type=Release\0`;

/** A zip archive with compressed members. */
function zip(members: Readonly<Record<string, string>>): Buffer {
  const [bodies, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, text] of Object.entries(members)) {
    const packed = deflateRawSync(text);
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(text.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    entry.write(name, 46);
    bodies.push(local, packed);
    directory.push(entry);
    at += local.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...directory, end]);
}

/** A wheel laid out as onnxruntime-gpu's. */
async function wheelOf(changes: { name?: string; version?: string; commit?: string; requires?: string[] } = {}) {
  const { name = "onnxruntime-gpu", version = await runtimeVersion(), commit = "f2c39fe2f", requires = [] } = changes;
  const file = join(folder, "onnxruntime_gpu.whl");
  const metadata = ["Metadata-Version: 2.4", `Name: ${name}`, `Version: ${version}`, ...requires, "", "About"];
  const members = {
    [`onnxruntime/capi/${shared}`]: "shared",
    [`onnxruntime/capi/${provider}`]: "cuda".repeat(1000),
    [`onnxruntime/capi/libonnxruntime.so.${version}`]: runtimeOf(commit),
    [`onnxruntime_gpu-${version}.dist-info/METADATA`]: metadata.join("\n"),
  };
  await writeFile(file, zip(members));
  return file;
}

/** A fake Python: logs its arguments, and puts a library where pip would. */
async function fakePython(): Promise<() => Promise<string>> {
  const calls = join(folder, "calls");
  const library = "nvidia/cu13/lib/libcublas.so.13";
  const script = [
    "#!/bin/sh",
    `echo "$@" >>${calls}`,
    `while [ $# -gt 0 ]; do if [ "$1" = --target ]; then mkdir -p "$2/nvidia/cu13/lib"; : >"$2/${library}"; fi; shift; done`,
  ];
  await writeFile(join(folder, "python3"), `${script.join("\n")}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", [folder, "/usr/bin", "/bin"].join(delimiter));
  return () => readFile(calls, "utf8");
}

/** An ELF library with only a header, segments and a dynamic section. */
function library(needed: readonly string[]): Buffer {
  const names = Buffer.from(`\0${needed.join("\0")}\0`);
  const [dynamicAt, namesAt, base] = [256, 256 + 16 * (needed.length + 2), 0x10000];
  const file = Buffer.alloc(namesAt + names.length);
  file.write("\x7fELF\x02\x01\x01", "latin1");
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  for (const [i, [type, offset, size]] of (
    [
      [1, 0, file.length],
      [2, dynamicAt, namesAt - dynamicAt],
    ] as const
  ).entries()) {
    const at = 64 + i * 56;
    file.writeUInt32LE(type, at);
    for (const [field, value] of [
      [8, offset],
      [16, base + offset],
      [32, size],
    ] as const)
      file.writeBigUInt64LE(BigInt(value), at + field);
  }
  let [entry, from] = [dynamicAt, 1];
  const put = (tag: bigint, value: number) => {
    file.writeBigUInt64LE(tag, entry);
    file.writeBigUInt64LE(BigInt(value), entry + 8);
    entry += 16;
  };
  for (const name of needed) {
    put(1n, from);
    from += name.length + 1;
  }
  put(5n, base + namesAt);
  names.copy(file, namesAt);
  return file;
}

describe.skipIf(process.platform !== "linux" || process.arch !== "x64")("tiller cuda install", () => {
  test("takes the providers from the wheel, installs NVIDIA's with pip, and links the providers where ONNX Runtime looks", async () => {
    const calls = await fakePython();
    const requires = [
      "Requires-Dist: flatbuffers",
      'Requires-Dist: sympy; extra == "symbolic"',
      'Requires-Dist: nvidia-cufft~=12.0; extra == "cuda"',
      'Requires-Dist: nvidia-cudnn-cu13~=9.0; extra == "cudnn"',
    ];
    const wheel = await wheelOf({ requires });
    await writeFile(join(place.runtime, provider), "of another CUDA");
    expect(await installCuda({ wheel }, place)).toBe(place.installed);
    expect(await readlink(join(place.runtime, provider))).toBe(join(place.installed, provider));
    expect(await readFile(join(place.runtime, provider), "utf8")).toBe("cuda".repeat(1000));
    expect(await readFile(join(place.runtime, shared), "utf8")).toBe("shared");
    expect(await calls()).toMatch(
      /^-m pip install --target \S+ --only-binary :all: nvidia-cufft~=12.0 nvidia-cudnn-cu13~=9.0 /,
    );
    expect(await readFile(join(place.installed, "nvidia", "nvidia", "cu13", "lib", "libcublas.so.13"), "utf8")).toBe(
      "",
    );
  });

  test("refuses a wheel of another version, package or build, naming both", async () => {
    const ours = await runtimeVersion();
    const install = async (changes: Parameters<typeof wheelOf>[0]) =>
      installCuda({ wheel: await wheelOf(changes) }, place);
    await expect(install({ version: "1.2.3" })).rejects.toEqual(refusal("cuda-install-failed", "1.2.3", ours));
    await expect(install({ name: "numpy" })).rejects.toEqual(
      refusal("cuda-install-failed", "numpy", "onnxruntime-gpu"),
    );
    const built = install({ commit: "0123456789" });
    await expect(built).rejects.toEqual(refusal("cuda-install-failed", "0123456789", "f2c39fe2f"));
  });

  test("refuses a damaged wheel, and keeps what is installed", async () => {
    await installCuda({ wheel: await wheelOf() }, place);
    const wheel = await wheelOf();
    const bytes = await readFile(wheel);
    // In the first member's data, after its name.
    const at = 30 + `onnxruntime/capi/${shared}`.length;
    bytes.fill(0xff, at, at + 6);
    await writeFile(wheel, bytes);
    await expect(installCuda({ wheel }, place)).rejects.toEqual(refusal("cuda-install-failed", wheel));
    await writeFile(wheel, "no archive");
    await expect(installCuda({ wheel }, place)).rejects.toEqual(refusal("cuda-install-failed", wheel));
    expect(await readFile(join(place.runtime, shared), "utf8")).toBe("shared");
  });

  test("says what to do if there is no Python", async () => {
    await expect(installCuda({}, place)).rejects.toEqual(refusal("cuda-install-failed", "Python"));
  });
});

describe("loading CUDA", () => {
  const driver = () => join(folder, "version");
  const tellDriver = (version: string) =>
    writeFile(driver(), `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Sun Jul 20 2025\n`);
  const put = async (needed: readonly string[]) => {
    await writeFile(join(place.runtime, shared), "");
    await writeFile(join(place.runtime, provider), library(needed));
  };
  /** Loads everything except `absent`, and returns what was loaded, in order. */
  async function load(absent: readonly string[] = []): Promise<string[]> {
    const loaded: string[] = [];
    const one = (name: string) => {
      loaded.push(basename(name));
      return !absent.includes(name);
    };
    await loadCuda({ ...place, driver: driver(), load: one });
    return loaded;
  }
  const cuda13 = ["libcublasLt.so.13", "libcublas.so.13", "libcudart.so.13", "libcuda.so.1", "libc.so.6"];

  test("loads the driver first, then installed libraries, dependencies first", async () => {
    await put(cuda13);
    const lib = join(place.installed, "nvidia", "nvidia", "cu13", "lib");
    await mkdir(lib, { recursive: true });
    const installed = ["libcudnn.so.9", "libcublas.so.13", "libcudnn_ops.so.9", "libcublasLt.so.13", "libcudart.so.13"];
    for (const name of [...installed, "libnvblas.so.13", "notes.txt"]) await writeFile(join(lib, name), "");
    const loaded = await load();
    const order = ["libcuda.so.1", "libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcudnn.so.9"];
    expect(loaded.slice(0, 5)).toEqual(order);
    // The rest is loaded by name.
    expect(new Set(loaded.slice(5))).toEqual(new Set([...cuda13.slice(0, 4), "libcudnn.so.9"]));
  });

  test.each([
    ["the driver", ["libcuda.so.1"], ["libcuda.so.1"]],
    [
      "NVIDIA's libraries, with their CUDA version",
      cuda13.slice(0, 2),
      ["libcublasLt.so.13", "libcublas.so.13", "CUDA 13"],
    ],
    ["cuDNN", ["libcudnn.so.9"], ["libcudnn.so.9"]],
  ])("names what is missing: %s", async (_, absent, named) => {
    await put(cuda13);
    await expect(load(absent)).rejects.toEqual(refusal("cuda-missing", ...named));
  });

  test("refuses a driver that is too old for that CUDA, naming its version", async () => {
    await put(cuda13);
    await tellDriver("550.54.14");
    await expect(load()).rejects.toEqual(refusal("cuda-missing", "550.54.14", "580", "CUDA 13"));
    await put(cuda13.map((name) => name.replace(".13", ".12")));
    await load();
    await tellDriver("580.65.06");
    await put(cuda13);
    await load();
  });

  test("names a missing provider, and links an installed one again after a reinstall of onnxruntime-node", async () => {
    await expect(load()).rejects.toEqual(refusal("cuda-missing", provider, "tiller cuda install"));
    await mkdir(place.installed);
    await writeFile(join(place.installed, shared), "");
    await writeFile(join(place.installed, provider), library(cuda13));
    await load();
    expect(await readlink(join(place.runtime, shared))).toBe(join(place.installed, shared));
  });

  test.skipIf(process.platform !== "linux")("loads a system library by name; a missing one fails", () => {
    expect(loadLibrary("libm.so.6")).toBe(true);
    expect(loadLibrary("libtiller-none.so.1")).toBe(false);
  });

  test("a file that is not a library needs nothing", async () => {
    await writeFile(driver(), "no library");
    expect(await neededBy(driver())).toEqual([]);
  });
});
