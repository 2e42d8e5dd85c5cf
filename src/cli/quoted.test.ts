import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quoted } from "./printable.ts";

test("words of a command are quoted if necessary", () => {
  expect(["cat.safetensors:0.9", "a sks cat", "it's", "a $5 cat"].map(quoted)).toEqual([
    "cat.safetensors:0.9",
    '"a sks cat"',
    '"it\'s"',
    process.platform === "win32" ? '"a $5 cat"' : "'a $5 cat'",
  ]);
});

test.skipIf(process.platform === "win32")("a shell reads any quoted word unchanged", () => {
  const word = fc.string({ unit: "grapheme-ascii", maxLength: 20 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const command = `printf '%s\\0' ${words.map(quoted).join(" ")}`;
      expect(spawnSync("sh", ["-c", command], { encoding: "utf8" }).stdout).toBe(words.map((w) => `${w}\0`).join(""));
    }),
    { numRuns: 50 },
  );
});
