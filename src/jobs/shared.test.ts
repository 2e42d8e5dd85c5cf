import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { openFolderStore } from "./folder-store.ts";
import { fetchShared, share, shareText } from "./shared.ts";
import type { Store } from "./store.ts";

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  store = openFolderStore(join(folder, "store"));
});
afterEach(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

test("equal files have one key, whatever their places; others, and other names, have others", async () => {
  const [a, b, other] = [await file("a", "a cat"), await file("b", "a cat"), await file("c", "a dog")];
  const key = await share("images", { "00.png": a, "01.png": other }, store);
  expect(key).toMatch(/^images-[0-9a-f]{20}$/);
  expect(await share("images", { "01.png": other, "00.png": b }, store)).toBe(key);
  expect(await share("images", { "00.png": other, "01.png": a }, store)).not.toBe(key);
  expect(await share("images", { "00.png": a, "02.png": other }, store)).not.toBe(key);
  expect(await readdir(join(folder, "store", "images"))).toHaveLength(3);
});

test("what was shared is fetched as it was", async () => {
  const key = await shareText("order", "order.json", '{"steps":1}', store);
  await fetchShared(key, join(folder, "into"), store);
  expect(await readdir(join(folder, "into"))).toEqual(["order.json"]);
  expect(await readFile(join(folder, "into", "order.json"), "utf8")).toBe('{"steps":1}');
});

test("files that were replaced in the store, with their list, are refused, and none is left", async () => {
  const key = await shareText("order", "order.json", "{}", store);
  const forged = join(folder, "forged");
  await shareText("order", "order.json", '{"steps":2}', openFolderStore(forged));
  const [hash] = await readdir(join(forged, "order"));
  await store.replace(key, join(forged, "order", hash!));
  await expect(fetchShared(key, join(folder, "into"), store)).rejects.toThrow(refusal("store-damaged", key));
  await expect(readdir(join(folder, "into"))).rejects.toThrow("ENOENT");
  await store.remove(key);
  await expect(fetchShared(key, join(folder, "into"), store)).rejects.toThrow(refusal("result-missing", key));
});
