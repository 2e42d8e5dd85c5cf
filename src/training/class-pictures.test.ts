/** Which class pictures are drawn and which are there already. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeClassPictures } from "./class-pictures.ts";

// Saved by Diffusers: parity/make_fixtures.py.
const model = fileURLToPath(new URL("../../parity/fixtures/pipelines/sd15", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-class-"));
});
afterEach(() => rm(folder, { recursive: true }));

const make = (count: number) =>
  makeClassPictures(model, {
    folder,
    count,
    prompt: "a cat",
    resolution: undefined,
    seed: 0,
    load: { device: "cpu" },
    onStep: () => {},
  });

test("pictures of one's own count, their captions and other files do not", async () => {
  for (const name of ["mine.jpg", "mine.txt", "notes.md"]) await writeFile(join(folder, name), "");
  await make(3);
  const drawn = (await readdir(folder)).filter((name) => name.startsWith("class-")).sort();
  expect(drawn).toEqual(["class-0000.png", "class-0001.png"]);
});
