/** What a hash covers: a file's length and bytes; of large files, pieces from beginning to end. */
import { createHash } from "node:crypto";
import { mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startHash } from "#bytes";
import { hashBytes, hashFile } from "./hash-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function hashOf(...files: readonly string[]): Promise<string> {
  const [hash, same] = [startHash(), startHash()];
  for (const file of files) {
    await hashFile(hash, file);
    hashBytes(same, await readFile(file));
  }
  const digest = await hash.digest();
  // The same in memory.
  expect(await same.digest()).toBe(digest);
  return digest;
}

async function written(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

test("a file is hashed as its length and bytes, so that boundaries between files matter", async () => {
  const [a, bc, ab, c] = [
    await written("a", "a"),
    await written("bc", "bc"),
    await written("ab", "ab"),
    await written("c", "c"),
  ];
  expect(await hashOf(a, bc)).toBe(createHash("sha256").update("1a2bc").digest("hex"));
  expect(await hashOf(a, bc)).not.toBe(await hashOf(ab, c));
});

test("of a file above 64 MiB, the hash covers the length and 64 pieces of 1 MiB", async () => {
  const file = join(folder, "large");
  const stride = 2 << 20;
  // 128 MiB of zeros, which take no disk space.
  await writeFile(file, "");
  await truncate(file, 64 * stride);
  const zeros = await hashOf(file);
  const changed = async (at: number) => {
    const handle = await open(file, "r+");
    await handle.write("x", at);
    const hash = await hashOf(file);
    await handle.write("\0", at);
    await handle.close();
    return hash !== zeros;
  };
  expect(await changed(0)).toBe(true);
  expect(await changed(stride - 1)).toBe(false);
  expect(await changed(63 * stride + (1 << 20) - 1)).toBe(true);
  await truncate(file, 64 * stride + 1);
  expect(await hashOf(file)).not.toBe(zeros);
});

test("up to 64 MiB every byte counts", async () => {
  const file = join(folder, "whole");
  await writeFile(file, "");
  await truncate(file, 64 << 20);
  const zeros = await hashOf(file);
  for (const at of [(1 << 20) - 1, 1 << 20, (64 << 20) - 1]) {
    const handle = await open(file, "r+");
    await handle.write("x", at);
    expect(await hashOf(file)).not.toBe(zeros);
    await handle.write("\0", at);
    await handle.close();
  }
});
