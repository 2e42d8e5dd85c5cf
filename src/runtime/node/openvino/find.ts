/** Finds OpenVINO's C library on this machine. */
import { execFile } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../../bytes/node/paths.ts";
import { TillerError } from "../../../errors/index.ts";

/** The folder into which `tiller openvino install` installs. */
export const installFolder = (): string => join(cacheFolder(), "openvino");

/** `libopenvino_c.so.2640`, `libopenvino_c.2640.dylib`, `openvino_c.dll`. */
const libraryName = /^(lib)?openvino_c(\.\d+)?\.(so|dylib|dll)(\.[\d.]+)?$/;

/**
 * The library's file: `TILLER_OPENVINO` (the file or its folder), else the first found in Tiller's own folder,
 * openvino-node's, the system's and Python's.
 *
 * @throws TillerError `openvino-missing` if there is none, saying how to get it.
 */
export async function findLibrary(): Promise<string> {
  const named = process.env.TILLER_OPENVINO;
  if (named) {
    const found = await libraryIn(named);
    if (found) return found;
    throw new TillerError(
      "openvino-missing",
      `TILLER_OPENVINO is ${named}, which has no OpenVINO C library: set it to the folder that holds libopenvino_c.`,
      { paths: [named] },
    );
  }
  for (const folders of [ownFolders, systemFolders, pythonFolders]) {
    for (const folder of await folders()) {
      const found = await libraryIn(folder);
      if (found) return found;
    }
  }
  throw new TillerError(
    "openvino-missing",
    "OpenVINO is not installed here: run tiller openvino install, or set TILLER_OPENVINO to the folder of its libraries.",
  );
}

/** The newest C library in a folder, or the file itself. */
async function libraryIn(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path;
  const names = await readdir(path).catch(() => [] as string[]);
  const [newest] = names
    .filter((name) => libraryName.test(name))
    .sort((a, b) => b.length - a.length || (a < b ? 1 : -1));
  return newest && join(path, newest);
}

async function ownFolders(): Promise<string[]> {
  const folders = [join(installFolder(), "openvino", "libs")];
  try {
    folders.push(join(dirname(createRequire(import.meta.url).resolve("openvino-node/package.json")), "bin"));
  } catch {
    // openvino-node is not installed.
  }
  return folders;
}

async function systemFolders(): Promise<string[]> {
  const { CONDA_PREFIX, INTEL_OPENVINO_DIR, ProgramFiles } = process.env;
  const intel = [INTEL_OPENVINO_DIR, "/opt/intel/openvino", ProgramFiles && join(ProgramFiles, "Intel", "openvino")];
  return [
    ...intel.flatMap((folder) =>
      folder
        ? ["lib/intel64", "lib/aarch64", "lib/arm64/Release", "bin/intel64/Release"].map((under) =>
            join(folder, "runtime", under),
          )
        : [],
    ),
    ...(CONDA_PREFIX ? [join(CONDA_PREFIX, "lib"), join(CONDA_PREFIX, "Library", "bin")] : []),
    ...[
      "/usr/lib/x86_64-linux-gnu",
      "/usr/lib/aarch64-linux-gnu",
      "/usr/lib64",
      "/usr/lib",
      "/usr/local/lib",
      "/opt/homebrew/lib",
    ],
  ];
}

/** The libraries of the first Python that has the `openvino` package. */
async function pythonFolders(): Promise<string[]> {
  const script =
    "import importlib.util as u; s = u.find_spec('openvino'); print(s.submodule_search_locations[0] if s else '')";
  const { VIRTUAL_ENV } = process.env;
  const pythons = [...(VIRTUAL_ENV ? [join(VIRTUAL_ENV, "bin", "python")] : []), "python3", "python"];
  for (const python of pythons) {
    const run = promisify(execFile)(python, ["-c", script], { timeout: 20_000, windowsHide: true });
    const folder = await run.then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
    if (folder) return [join(folder, "libs")];
  }
  return [];
}
