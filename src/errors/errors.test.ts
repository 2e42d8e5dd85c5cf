/** Every code in the error tables is thrown in the source and expected by a test. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { errorGroups, errorRows } from "./index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const texts = new Map(
  ["src", "test", "pretraining"]
    .flatMap((folder) => readdirSync(`${root}${folder}`, { recursive: true }).map((name) => `${folder}/${name}`))
    .filter((file) => file.endsWith(".ts") && !/^src[\\/]errors[\\/]/.test(file))
    .map((file) => [file, readFileSync(`${root}${file}`, "utf8")]),
);
const textsOf = (which: (file: string) => boolean) =>
  [...texts].flatMap(([file, text]) => (which(file) ? [text] : [])).join("\n");

const code = textsOf((file) => file.startsWith("src") && !file.endsWith(".test.ts"));
// An error that a test creates itself is not one that it expects.
const tests = textsOf((file) => file.endsWith(".test.ts")).replaceAll(/new TillerError\(\s*"[\w-]+"/g, "");

test("no two groups share a code", () => {
  const codes = Object.values(errorGroups).flatMap((group) => Object.keys(group));
  expect(codes).toEqual(Object.keys(errorRows));
});

describe.each(Object.keys(errorRows))("%s", (name) => {
  test("is thrown", () => {
    expect(code.includes(`"${name}"`)).toBe(true);
  });

  test("is expected by a test", () => {
    expect(tests.includes(`"${name}"`)).toBe(true);
  });
});
