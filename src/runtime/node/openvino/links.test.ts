import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ByteSource } from "../../../bytes/source.ts";
import { makeLinks } from "./links.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-links-"));
  await writeFile(join(folder, "unet.safetensors"), "weights");
  // As a hub's cache has it.
  await symlink(join(folder, "unet.safetensors"), join(folder, "link.safetensors"));
});
afterAll(() => rm(folder, { recursive: true }));

const source = (path?: string): ByteSource => ({
  name: path ?? "memory",
  size: 7,
  ...(path !== undefined && { path }),
  read: async () => new Uint8Array(),
});

describe.skipIf(process.platform === "win32")("weights beside the model", () => {
  test("are links to their files, one more for a twin, while the model is read", async () => {
    const links = makeLinks();
    const file = join(folder, "link.safetensors");
    const [name, twin] = [links.nameOf(source(file), 0)!, links.nameOf(source(file), 1)!];
    expect(new Set([name, twin]).size).toBe(2);
    expect(links.nameOf(source(file), 0)).toBe(name);
    const read = await links.read(Uint8Array.of(1, 2, 3), async (model) => {
      expect([...readFileSync(model)]).toEqual([1, 2, 3]);
      const inodes = [name, twin].map((one) => statSync(join(dirname(model), one)).ino);
      expect(inodes).toEqual([statSync(file).ino, statSync(file).ino]);
      return model;
    });
    expect(existsSync(dirname(read))).toBe(false);
    expect(statSync(file).nlink).toBe(1);
  });

  test("are gone as well where reading fails", async () => {
    const links = makeLinks();
    let at = "";
    const failing = links.read(new Uint8Array(), async (model) => {
      at = model;
      throw new Error("not a model");
    });
    await expect(failing).rejects.toThrow("not a model");
    expect(existsSync(dirname(at))).toBe(false);
  });

  test("have no name where they are no file", () => {
    expect(makeLinks().nameOf(source(), 0)).toBeUndefined();
  });
});
