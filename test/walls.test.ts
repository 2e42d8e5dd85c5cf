/** `scripts/walls.js` finds no violations in src/, and finds planted ones. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ground, rooms } from "../scripts/rooms.js";
import { codeIn, violations } from "../scripts/walls.js";

const src = fileURLToPath(new URL("../src", import.meta.url));
const house = codeIn(src);

test("src/ follows the plan", () => {
  expect(violations(house)).toEqual([]);
});

test("the plan lists exactly the rooms that exist", () => {
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
  ["a port that the room may not use", "guidance/pg.ts", 'import { exists } from "#bytes";', /guidance may import no/],
  ["Node in the core", "training/run/train.ts", 'import { join } from "node:path";', /the core has no Node in it/],
  [
    "a native package in the core",
    "images/resample.ts",
    'const sharp = await import("sharp");',
    /the core has no Node/,
  ],
  [
    "the library's internals in the command line",
    "cli/run.ts",
    'import { fill } from "../pipelines/fill.ts";',
    /cli may/,
  ],
  [
    "a ground file that imports a room",
    "errors/index.ts",
    'import { version } from "../index.ts";',
    /stands on nothing/,
  ],
  ["an import cycle", "graph/dim.ts", 'import { apply } from "./value.ts";', /in a circle: .*graph\/dim\.ts/],
])("%s is found", (_, file, line, sentence) => {
  const planted = new Map([...house, [file, `${line}\n${house.get(file)}`]]);
  expect(violations(planted)).toContainEqual(expect.stringMatching(sentence));
});
