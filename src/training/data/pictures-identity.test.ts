import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { picturesIdentity } from "./pictures-identity.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("changes with a caption", async () => {
  await writeFile(join(folder, "a.png"), "p");
  const before = await picturesIdentity(folder);
  await writeFile(join(folder, "a.txt"), "a cat");
  expect(await picturesIdentity(folder)).not.toBe(before);
});

test("stays the same, so that earlier experiments are found", async () => {
  await writeFile(join(folder, "a.png"), "p");
  await writeFile(join(folder, "a.txt"), "a cat");
  // Names, lengths and contents concatenated: sha256("a.png" "1" "p" "a.txt" "5" "a cat").
  expect(await picturesIdentity(folder)).toBe("95734495fa78d9e29038433bbbc742ff947ed1b219e823c463b1612664c360b8");
});
