import { mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import type { ErrorCode } from "../errors/index.ts";
import { jsonObject, readJson } from "./json-file.ts";
import { readTensors } from "./read-tensors.ts";
import { readSafetensors } from "./safetensors.ts";

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "kinds-")));
});
afterAll(() => rm(folder, { recursive: true }));

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 134\n";
const page = "<!doctype html>\n<html><head><title>owner/repo at main</title></head></html>";
const tar = `${"a".repeat(257)}ustar\0${"\0".repeat(300)}`;

/** The first bytes as Latin-1, the code, and what the message must name. */
const cases: [what: string, bytes: string, code: ErrorCode, ...facts: string[]][] = [
  ["a Git LFS pointer", pointer, "lfs-pointer", "git lfs pull"],
  ["a Xet pointer", "# xet version 0\nfilesize = 1234\nhash = 'ab'\n", "lfs-pointer", "git lfs pull"],
  ["a web page", page, "web-page", "/resolve/"],
  ["a web page after a byte order mark, spaces and a comment", `\xef\xbb\xbf\n <!-- x -->\n<HTML>`, "web-page"],
  ["a web page in UTF-16", `\xff\xfe${[..."<html>"].join("\0")}\0`, "web-page"],
  ["a server's XML", '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "not-weights", "XML"],
  ["a refused download's JSON", '{"error":"Unauthorized"}', "not-weights", "JSON", "Unauthorized"],
  ["a longer JSON", `{\n  "a": "${"x".repeat(1000)}"}`, "not-weights", "JSON"],
  ["a list", '["a"]', "not-weights", "JSON"],
  ["GGUF", "GGUF\x03\0\0\0\x02\0\0\0\0\0\0\0", "not-weights", "GGUF"],
  ["GGML", "lmgg\x01\0\0\0\0\0\0\0\0\0\0\0", "not-weights", "GGML"],
  ["ONNX", "\x08\x07\x12\x07pytorch\x1a\x052.0.0", "not-weights", "ONNX"],
  ["ONNX without a producer", "\x08\x0a\x3a\x90\x20\x0a\x10\x0a\x01x", "not-weights", "ONNX"],
  ["TensorFlow Lite", "\x1c\0\0\0TFL3\x14\0\x20\0", "not-weights", "TensorFlow Lite"],
  ["HDF5", "\x89HDF\r\n\x1a\n\0\0\0\0", "not-weights", "HDF5"],
  ["NumPy", "\x93NUMPY\x01\0v\0", "not-weights", "NumPy"],
  ["gzip", "\x1f\x8b\x08\0\0\0\0\0\0\x03", "not-weights", "gzip"],
  ["7-Zip", "7z\xbc\xaf\x27\x1c\0\x04\0\0", "not-weights", "7-Zip"],
  ["RAR", "Rar!\x1a\x07\x01\0\0\0", "not-weights", "RAR"],
  ["tar", tar, "not-weights", "tar"],
  ["a PNG", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not-weights", "PNG"],
  ["a JPEG", "\xff\xd8\xff\xe0\0\x10JFIF", "not-weights", "JPEG"],
  ["nothing", "", "file-empty"],
  ["a download that has only allocated its space", "\0".repeat(4096), "download-incomplete"],
  ["text", "hello, this is text", "not-weights", "hello"],
  ["a server's reply as text", "Entry not found", "not-weights", "Entry not found"],
  ["macOS metadata", "\0\x05\x16\x07\0\x02\0\0Mac OS X", "not-weights", "._"],
  ["a Flax model", "\x81\xa6params\x82", "not-weights", "Flax"],
  ["an xz archive", "\xfd7zXZ\0\0\x04", "not-weights", "xz"],
  ["a zstd archive", "\x28\xb5\x2f\xfd\x04\x58\x01\0\0", "not-weights", "zstd"],
  ["an AVIF picture", "\0\0\0\x1cftypavif\0\0\0\0", "not-weights", "AVIF"],
];

describe("a file that holds no weights is named for what it is", () => {
  test.each(cases)("%s", async (_what, bytes, code, ...facts) => {
    for (const [name, read] of [
      ["a.safetensors", readTensors],
      ["b.ckpt", readTensors],
      ["c.safetensors", readSafetensors],
    ] as const) {
      const file = join(folder, name);
      await writeFile(file, bytes, "latin1");
      await expect(read(file)).rejects.toThrow(refusal(code, file, ...facts));
    }
  });

  test("every such file in a folder gets its own message", async () => {
    const sentences = new Set<string>();
    for (const [i, [, bytes]] of cases.entries()) {
      const file = join(folder, `${i}.safetensors`);
      await writeFile(file, bytes, "latin1");
      const error: Error = await readTensors(file).then(
        () => expect.unreachable(),
        (error) => error,
      );
      sentences.add(error.message.replace(file, ""));
    }
    expect(sentences.size).toBeGreaterThan(15);
    expect((await readdir(folder)).length).toBeGreaterThan(cases.length);
  });

  test.each([
    [pointer, "lfs-pointer"],
    [page, "web-page"],
    ["{", "json-invalid"],
  ] as const)("a config.json that is %.12s", async (bytes, code) => {
    const file = join(folder, "config.json");
    await writeFile(file, bytes);
    await expect(readJson(file, jsonObject)).rejects.toThrow(refusal(code, file));
  });
});
