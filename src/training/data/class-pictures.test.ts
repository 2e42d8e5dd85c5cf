/** Which class images are drawn and which are reused. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { picturesIn } from "../../images/folder.ts";
import { readRecipe } from "../../recipe/read-recipe.ts";
import { makeClassPictures } from "./class-pictures.ts";

// Saved by Diffusers: parity/make_fixtures.py.
const model = fileURLToPath(new URL("../../../parity/fixtures/pipelines/sd15", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-class-"));
});
afterEach(() => rm(folder, { recursive: true }));

const make = async (count: number, { seed = 0, own = false } = {}) => {
  const making = makeClassPictures(model, {
    folder,
    count,
    prompt: "a cat",
    resolution: undefined,
    seed,
    drawnAs: own ? { seed } : undefined,
    load: { device: "cpu" },
  });
  for await (const { done, of } of making) expect(done).toBeLessThanOrEqual(of);
};

test("the user's own pictures count, captions and other files do not", async () => {
  for (const name of ["mine.jpg", "mine.txt", "notes.md"]) await writeFile(join(folder, name), "");
  await make(3);
  const drawn = (await readdir(folder)).filter((name) => name.startsWith("class-")).sort();
  expect(drawn).toEqual(["class-0000.png", "class-0001.png"]);
});

test("a run's own are redrawn if settings change, and never exceed the number asked for", async () => {
  const seedOf = async (name: string) => (await readRecipe(join(folder, name))).request.seed;
  await make(2, { own: true });
  const { mtimeMs } = await stat(join(folder, "class-0000.png"));
  await make(1, { own: true });
  expect((await stat(join(folder, "class-0000.png"))).mtimeMs).toBe(mtimeMs);
  expect(await picturesIn(folder)).toEqual(["class-0000.png"]);
  await make(2, { own: true, seed: 7 });
  expect([await seedOf("class-0000.png"), await seedOf("class-0001.png")]).toEqual([7, 8]);
});

test("those shared by several runs stay, whatever the settings", async () => {
  await make(2);
  const before = await readFile(join(folder, "class-0000.png"));
  await make(1, { seed: 7 });
  expect(await readFile(join(folder, "class-0000.png"))).toEqual(before);
  expect(await picturesIn(folder)).toEqual(["class-0000.png", "class-0001.png"]);
});
