import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { refusal } from "../../test/refusal.ts";
import { jsonObject, readJson, readText } from "./json-file.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  file = join(folder, "config.json");
});
afterEach(() => rm(folder, { recursive: true }));

test("a file of more than 16 MiB is refused unread, one of exactly 16 MiB is read", async () => {
  await writeFile(file, "{}");
  await truncate(file, 16 << 20);
  // The object is followed by zeros.
  await expect(readJson(file, jsonObject)).rejects.toThrow(refusal("text-encoding", file));
  await truncate(file, (16 << 20) + 1);
  await expect(readJson(file, jsonObject)).rejects.toThrow(refusal("file-too-large", file, `${(16 << 20) + 1}`));
});

test("a text of exactly as many bytes as the limit is read", async () => {
  await writeFile(file, "words");
  expect(await readText(file, 5)).toBe("words");
  await expect(readText(file, 4)).rejects.toThrow(refusal("file-too-large", "5 bytes"));
});

test("Python's Infinity and NaN become strings, which no number field accepts", async () => {
  await writeFile(file, '{"a": -Infinity, "b": [NaN, 1], "c": "is NaN"}');
  expect(await readJson(file, jsonObject)).toEqual({ a: "-Infinity", b: ["NaN", 1], c: "is NaN" });
});

test("damaged JSON of several lines is reported on one line", async () => {
  await writeFile(file, "[1,\nx]");
  await expect(readJson(file, z.unknown())).rejects.toThrow(refusal("json-invalid", file, "[1, x]"));
});

test("a schema mismatch is reported with its path", async () => {
  await writeFile(file, '{"steps": {"most": "many"}}');
  const form = z.object({ steps: z.object({ most: z.number() }) });
  await expect(readJson(file, form)).rejects.toThrow(refusal("json-unexpected", file, "steps.most"));
});

test("a byte order mark is honoured, and text in another encoding is refused", async () => {
  for (const encoding of ["utf8", "utf16le"] as const) {
    await writeFile(file, Buffer.from('\ufeff{"a": "é"}', encoding));
    expect(await readJson(file, jsonObject)).toEqual({ a: "é" });
  }
  await writeFile(file, Buffer.from('{"a": "é"}', "latin1"));
  await expect(readJson(file, jsonObject)).rejects.toThrow(refusal("text-encoding", file, "UTF-8"));
});
