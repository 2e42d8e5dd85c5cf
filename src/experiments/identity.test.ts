import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { modelIdentity } from "./identity.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a folder of links, as in a hub's cache, is identified by the links' targets", async () => {
  const made: string[] = [];
  for (const text of ["one", "two"]) {
    await writeFile(join(folder, text), text);
    await mkdir(join(folder, `model-${text}`));
    await symlink(join(folder, text), join(folder, `model-${text}`, "weights"));
    made.push(await modelIdentity(join(folder, `model-${text}`)));
  }
  expect(made[0]).not.toBe(made[1]);
});

test("excluded folders do not count, everything else does", async () => {
  await mkdir(join(folder, "vit"));
  await writeFile(join(folder, "unet"), "u");
  await writeFile(join(folder, "vit", "weights"), "v");
  const before = await modelIdentity(folder, ["vit"]);
  await appendFile(join(folder, "vit", "weights"), "more");
  expect(await modelIdentity(folder, ["vit"])).toBe(before);
  await appendFile(join(folder, "unet"), "more");
  expect(await modelIdentity(folder, ["vit"])).not.toBe(before);
});
