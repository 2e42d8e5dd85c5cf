/** The lint rule that keeps the house as it is drawn: what `scripts/walls.js` finds, and that it finds what is planted. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ground, rooms } from "../scripts/rooms.js";
import { codeIn, violations } from "../scripts/walls.js";

const src = fileURLToPath(new URL("../src", import.meta.url));
const house = codeIn(src);

test("the house is as it is drawn", () => {
  expect(violations(house)).toEqual([]);
});

test("every room is drawn, and no other", () => {
  const folders = readdirSync(src, { withFileTypes: true });
  expect(
    folders
      .filter((one) => one.isDirectory())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(Object.keys(rooms).sort());
  const files = folders.filter((one) => one.isFile() && !one.name.endsWith(".test.ts")).map(({ name }) => name);
  expect(files.sort()).toEqual(
    [...ground.filter((name) => !name.includes("/")), "index.ts", "internal.ts", "node.ts"].sort(),
  );
});

test.each([
  [
    "an import upwards",
    "graph/value.ts",
    'import { train } from "../training/run/train.ts";',
    /graph may import bytes/,
  ],
  [
    "an import of a type upwards",
    "samplers/ddim.ts",
    'import type { Recipe } from "../recipe/recipe.ts";',
    /samplers may/,
  ],
  [
    "an import of a neighbour",
    "models/unet.ts",
    'import { readRecipe } from "../recipe/read-recipe.ts";',
    /models may/,
  ],
  [
    "a port that is not the room's to ask",
    "guidance/pg.ts",
    'import { exists } from "#bytes";',
    /guidance may import no/,
  ],
  ["Node in the core", "training/run/train.ts", 'import { join } from "node:path";', /the core has no Node in it/],
  [
    "a native package in the core",
    "images/resample.ts",
    'const sharp = await import("sharp");',
    /the core has no Node/,
  ],
  [
    "the inside of the library in the command line",
    "cli/run.ts",
    'import { fill } from "../pipelines/fill.ts";',
    /cli may/,
  ],
  ["ground that stands on something", "errors/index.ts", 'import { version } from "../index.ts";', /stands on nothing/],
  ["a circle", "graph/dim.ts", 'import { apply } from "./value.ts";', /in a circle: .*graph\/dim\.ts/],
])("%s is found", (_, file, line, sentence) => {
  const planted = new Map([...house, [file, `${line}\n${house.get(file)}`]]);
  expect(violations(planted)).toContainEqual(expect.stringMatching(sentence));
});
