import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refusal } from "../../../../test/refusal.ts";
import { findLibrary } from "./find.ts";
import { installOpenVino } from "./install.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-openvino-"));
  for (const name of ["CONDA_PREFIX", "INTEL_OPENVINO_DIR", "VIRTUAL_ENV", "TILLER_OPENVINO"]) vi.stubEnv(name, "");
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.stubEnv("PATH", folder); // no Python
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test("TILLER_OPENVINO names a folder, whose newest library is used, or the file", async () => {
  for (const name of ["libopenvino_c.so.2550", "libopenvino_c.so.2641", "libopenvino.so.2641", "libtbb.so.12"]) {
    await writeFile(join(folder, name), "");
  }
  vi.stubEnv("TILLER_OPENVINO", folder);
  expect(await findLibrary()).toBe(join(folder, "libopenvino_c.so.2641"));
  vi.stubEnv("TILLER_OPENVINO", join(folder, "libopenvino_c.so.2550"));
  expect(await findLibrary()).toBe(join(folder, "libopenvino_c.so.2550"));
});

test("if TILLER_OPENVINO has no library, the error names it, even if there are others", async () => {
  vi.stubEnv("TILLER_OPENVINO", folder);
  await expect(findLibrary()).rejects.toEqual(refusal("openvino-missing", folder));
});

test("finds what Tiller installed", async () => {
  const libs = join(folder, "tiller", "openvino", "openvino", "libs");
  await mkdir(libs, { recursive: true });
  await writeFile(join(libs, "libopenvino_c.so.2641"), "");
  expect(await findLibrary()).toBe(join(libs, "libopenvino_c.so.2641"));
});

test.skipIf(process.platform === "win32")(
  "without Python, or if pip fails, the installation says what to do",
  async () => {
    await expect(installOpenVino()).rejects.toEqual(refusal("openvino-install-failed", "Python"));
    await writeFile(join(folder, "python3"), "#!/bin/sh\necho no such wheel >&2\nexit 3\n", { mode: 0o755 });
    vi.stubEnv("PATH", [folder, "/bin"].join(delimiter));
    const lines: string[] = [];
    const installing = installOpenVino({ wheel: "x.whl", onLine: (line) => lines.push(line) });
    await expect(installing).rejects.toEqual(refusal("openvino-install-failed", "no such wheel", "--wheel"));
    expect(lines).toEqual(["no such wheel"]);
  },
);
