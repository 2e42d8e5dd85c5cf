import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { version } from "../src/index.ts";

test("the library's version equals package.json's", () => {
  const { version: own } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect(version).toBe(own);
});
