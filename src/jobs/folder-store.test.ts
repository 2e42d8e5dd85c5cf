import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolder } from "#bytes";
import { refusal } from "../../test/refusal.ts";
import { openFolderStore } from "./folder-store.ts";
import type { Store } from "./store.ts";

let folder: string;
let store: Store;
const key = "pictures-0123456789abcdef0123";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  store = openFolderStore(join(folder, "store"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A folder with a file. */
async function made(name: string, text: string): Promise<string> {
  const place = join(folder, name);
  await makeFolder(join(place, "inner"));
  await writeFile(join(place, "inner", "a.txt"), text);
  return place;
}

test("what was published can be fetched, and comes back the same", async () => {
  expect(await store.has(key)).toBe(false);
  await store.publish(key, await made("one", "one"));
  expect(await store.has(key)).toBe(true);
  await store.fetch(key, join(folder, "back"));
  expect(await readFile(join(folder, "back", "inner", "a.txt"), "utf8")).toBe("one");
});

test("the first of two results stays, and replacing takes the second", async () => {
  const text = () => readFile(join(folder, "store/pictures/0123456789abcdef0123/inner/a.txt"), "utf8");
  await store.publish(key, await made("one", "one"));
  await store.publish(key, await made("two", "two"));
  expect(await text()).toBe("one");
  await store.replace(key, join(folder, "two"));
  expect(await text()).toBe("two");
  await store.remove(key);
  expect(await store.has(key)).toBe(false);
});

test("of many that publish at once one wins, whole, and nothing else is left", async () => {
  const folders = await Promise.all(["a", "b", "c", "d", "e"].map((name) => made(name, name)));
  for (const name of folders) await writeFile(join(name, "b.txt"), await readFile(join(name, "inner", "a.txt")));
  await Promise.all(folders.map((from) => store.publish(key, from)));
  const place = join(folder, "store", "pictures");
  expect(await readdir(place)).toEqual(["0123456789abcdef0123"]);
  const [one, two] = ["inner/a.txt", "b.txt"].map((name) =>
    readFile(join(place, "0123456789abcdef0123", name), "utf8"),
  );
  expect(await one).toBe(await two);
});

test("an unfinished attempt in the store's own folder gives way", async () => {
  const place = join(folder, "store/pictures/0123456789abcdef0123");
  await makeFolder(place);
  await writeFile(join(place, "half.png"), "half");
  expect(await store.has(key)).toBe(false);
  await store.publish(key, await made("one", "one"));
  expect((await readdir(place)).sort()).toEqual([".manifest.json", "inner"]);
});

test("a changed file and a list that leads out of the folder are refused", async () => {
  await store.publish(key, await made("one", "one"));
  const place = join(folder, "store/pictures/0123456789abcdef0123");
  const changed = join(place, "inner", "a.txt");
  for (const [contents, why] of [
    ["two", "hash"],
    ["others", "length"],
  ] as const) {
    await writeFile(changed, contents);
    await expect(store.fetch(key, join(folder, "back"))).rejects.toThrow(refusal("store-damaged", "inner/a.txt", why));
  }
  const file = { bytes: 1, sha256: "0".repeat(64) };
  for (const name of ["../out", "/etc/passwd", "a/../../b", "..", ""]) {
    await writeFile(join(place, ".manifest.json"), JSON.stringify({ files: [{ ...file, name }] }));
    await expect(store.fetch(key, join(folder, "back"))).rejects.toThrow(refusal("store-damaged", "list of files"));
  }
});

test("a link in a store is not followed, and what is no file is not read", async () => {
  await store.publish(key, await made("one", "one"));
  const place = join(folder, "store/pictures/0123456789abcdef0123");
  const other = await made("other", "one");
  const refused = (name: string) =>
    expect(store.fetch(key, join(folder, "back"))).rejects.toThrow(refusal("store-damaged", name, "link"));
  await rm(join(place, "inner", "a.txt"));
  await symlink(join(other, "inner", "a.txt"), join(place, "inner", "a.txt"));
  await refused("inner/a.txt");
  await rm(join(place, "inner"), { recursive: true });
  await symlink(join(other, "inner"), join(place, "inner"));
  await refused("inner/a.txt");
  await rm(join(place, "inner"));
  await makeFolder(join(place, "inner", "a.txt"));
  await refused("inner/a.txt");
  await rm(join(place, ".manifest.json"));
  await symlink("/dev/zero", join(place, ".manifest.json"));
  await refused(".manifest.json");
});

test("keys lead nowhere but into the store", async () => {
  for (const name of ["../../etc", "pictures", "pictures-xyz", "PICTURES-0123456789abcdef0123"])
    await expect(store.has(name)).rejects.toThrow(refusal("job-invalid", "not a key"));
});
