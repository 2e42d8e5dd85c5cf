/** Which files are recorded as checked, and which are read again. */
import { mkdir, mkdtemp, open, readdir, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { refuseNotFinite } from "./refuse-not-finite.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  file = join(folder, "w.safetensors");
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const check = async () => refuseNotFinite([{ weights: (await readSafetensors(file)).tensors }]);

/** Two tensors, the first of the given number of megabytes. */
const write = (megabytes: number) =>
  writeSafetensors(file, [
    { name: "large", dtype: "float32", shape: [megabytes << 18], data: new Uint8Array(megabytes << 20) },
    { name: "small", dtype: "float32", shape: [1], data: new Uint8Array(4) },
  ]);

/** Makes the last value, the second tensor, NaN, with the file's old modification time or another one. */
async function spoil(sameTime: boolean): Promise<void> {
  const { size, atime, mtime } = await stat(file);
  const handle = await open(file, "r+");
  await handle.write(new Uint8Array(Float32Array.of(Number.NaN).buffer), 0, 4, size - 4);
  await handle.close();
  await utimes(file, atime, sameTime ? mtime : new Date(mtime.getTime() + 1000));
}

test("a large file is read once, and again when its modification time changes", async () => {
  await write(65);
  await utimes(file, 1e9, 1e9);
  await check();
  // Only the time shows the change.
  await spoil(true);
  await check();
  await spoil(false);
  await expect(check()).rejects.toThrow(refusal("not-finite", file, "small"));
  // A refused file is not recorded.
  expect(await readdir(join(folder, "cache", "tiller", "computable"))).toHaveLength(1);
});

test("a small file is read each time", async () => {
  await write(1);
  await check();
  await spoil(true);
  await expect(check()).rejects.toThrow(refusal("not-finite", file, "small"));
});

test("without a cache a large file is read each time", async () => {
  await write(65);
  await mkdir(join(folder, "cache"));
  await (await open(join(folder, "cache", "tiller"), "w")).close();
  await check();
  await spoil(true);
  await expect(check()).rejects.toThrow(refusal("not-finite", file, "small"));
});

test("reading stops when aborted", async () => {
  await write(1);
  const { tensors } = await readSafetensors(file);
  await expect(refuseNotFinite([{ weights: tensors }], AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
});
