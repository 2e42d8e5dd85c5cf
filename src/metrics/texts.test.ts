/** The sources of measured pictures' texts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { textsOf, withoutToken } from "./texts.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  // Texts are found without reading pixels.
  for (const name of ["a.png", "b.jpg", "sheet.png", "sheet-2.png"]) await writeFile(join(folder, name), "no picture");
});
afterEach(() => rm(folder, { recursive: true }));

const texts = async (request: object) =>
  (await textsOf({ images: folder, ...request })).pictures.map(({ text }) => text);

test("contact sheets are skipped, and pictures without a text get the given one", async () => {
  expect(await texts({ prompt: "a cat" })).toEqual(["a cat", "a cat"]);
});

test("a caption beside a picture comes first, unless it is empty", async () => {
  await writeFile(join(folder, "a.txt"), "a cat in the snow\n");
  await writeFile(join(folder, "b.txt"), "\n");
  expect(await texts({ prompt: "a cat" })).toEqual(["a cat in the snow", "a cat"]);
});

test("a picture without a text is named in the error", async () => {
  await rm(join(folder, "a.png"));
  await expect(texts({})).rejects.toThrow(refusal("text-missing", "b.jpg", "b.txt", "--prompt"));
});

test("a prompts file has one line per picture, or texts by name", async () => {
  const [lines, json] = [join(folder, "prompts.txt"), join(folder, "prompts.json")];
  await writeFile(lines, "a cat\r\n\na dog\n");
  expect(await texts({ prompts: lines })).toEqual(["a cat", "a dog"]);
  await writeFile(json, JSON.stringify({ "b.jpg": "a dog" }));
  expect(await texts({ prompts: json, prompt: "a cat" })).toEqual(["a cat", "a dog"]);

  await writeFile(lines, "a cat\n");
  await expect(texts({ prompts: lines })).rejects.toThrow(refusal("texts-mismatch", lines, "1", "2"));
  await writeFile(json, "[]");
  await expect(texts({ prompts: json })).rejects.toThrow(refusal("json-unexpected", json));
  await writeFile(json, JSON.stringify({ "b.jpg": 1 }));
  await expect(texts({ prompts: json })).rejects.toThrow(refusal("json-unexpected", json, "b.jpg"));
});

test("a file of prompts may be Notepad's; other encodings are refused, not guessed", async () => {
  const file = join(folder, "prompts.txt");
  await writeFile(file, Buffer.from("\ufeffa cat\r\na café\r\n", "utf16le"));
  expect(await texts({ prompts: file })).toEqual(["a cat", "a café"]);
  await writeFile(file, "\ufeffa cat\ra café");
  expect(await texts({ prompts: file })).toEqual(["a cat", "a café"]);
  for (const [name, json] of [
    ["p.txt", "a cat\na café"],
    ["p.json", '{"a.png": "a café"}'],
    ["p.jsonl", '{"file_name": "a.png", "text": "a café"}'],
  ] as const) {
    const prompts = join(folder, name);
    await writeFile(prompts, Buffer.from(json, "latin1"));
    await expect(texts({ prompts, prompt: "a cat" })).rejects.toThrow(refusal("text-encoding", prompts, "UTF-8"));
  }
  const caption = join(folder, "b.caption");
  await writeFile(caption, Buffer.from("a café", "latin1"));
  await expect(texts({ prompt: "a cat" })).rejects.toThrow(refusal("text-encoding", caption));
});

test("texts by name may be in a metadata.jsonl; those without a picture cause a warning", async () => {
  const prompts = join(folder, "p.jsonl");
  await writeFile(prompts, '{"file_name": "b.jpg", "text": "a dog"}\n{"file_name": "c.jpg", "text": "a cow"}\n');
  const { pictures, warnings } = await textsOf({ images: folder, prompts, prompt: "a cat" });
  expect(pictures.map(({ text }) => text)).toEqual(["a cat", "a dog"]);
  expect(warnings).toEqual([expect.stringContaining("c.jpg")]);
});

test("pictures that are left out cause a warning", async () => {
  await writeFile(join(folder, "c.heic"), "\0\0\0\x18ftypheic\0\0\0\0mif1heic");
  await writeFile(join(folder, "notes.md"), "no picture, and none is missed");
  const { warnings } = await textsOf({ images: folder, prompt: "a cat" });
  expect(warnings).toEqual([expect.stringMatching(/c\.heic.*JPEG/)]);
});

test("a token is left out, whatever follows it", () => {
  expect(withoutToken("a sks cat, sks, in the  snow", "sks")).toBe("a cat,, in the snow");
  expect(withoutToken("a sksy cat of sks.", "sks")).toBe("a sksy cat of.");
});
