/** Every visible file of a folder is a picture, a caption, or reported by name as left out. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { readCaption } from "./captions.ts";
import { leftOutWarnings, pictureFolder } from "./folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const drawn = () => sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } });

/** Writes files: a name alone gives a red JPEG, else its contents follow. */
async function put(...files: readonly (string | readonly [name: string, contents: string | Uint8Array])[]) {
  for (const file of files) {
    const [name, contents] = typeof file === "string" ? [file, await drawn().jpeg().toBuffer()] : file;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), contents);
  }
}

/** Pictures with their captions and repeats, what is left out, and the warnings. */
async function found() {
  const { pictures, leftOut, notes } = await pictureFolder(folder);
  const captions = await Promise.all(pictures.map(({ caption }) => caption && readCaption(caption)));
  return {
    pictures: pictures.map(({ name, repeats }, i) => [name, captions[i], repeats]),
    leftOut: leftOut.map(({ name }) => name),
    warnings: leftOutWarnings(leftOut),
    notes,
  };
}

describe("a folder", () => {
  test("has pictures by extension, in capitals too, else by their first bytes", async () => {
    await put("a.jpg", "b.jfif", "c.JPG", "d.jpe", "e.jpg_large", "f", "g.HEIC");
    const { pictures, leftOut } = await found();
    expect(pictures.map(([name]) => name)).toEqual(["a.jpg", "b.jfif", "c.JPG", "d.jpe", "e.jpg_large", "f", "g.HEIC"]);
    expect(leftOut).toEqual([]);
  });

  test("names what it does not use and what to do about it, except system files", async () => {
    await put("a.jpg", ["b.psd", "8BPS\0\x01"], ["c.heic", "\0\0\0\x18ftypheic\0\0\0\0mif1heic"]);
    await put(["d.mp4", "\0\0\0\x14ftypisom\0\0\0\0mp42"], ["e.npz", "PK\x03\x04"], ["notes.md", "# notes"]);
    await put([".DS_Store", ""], ["Thumbs.db", ""], ["desktop.ini", ""], ["._a.jpg", ""], "more/b.jpg");
    const { pictures, leftOut, warnings } = await found();
    expect(pictures).toEqual([["a.jpg", undefined, 1]]);
    expect(leftOut).toEqual(["b.psd", "c.heic", "d.mp4", "e.npz", "more/", "notes.md"]);
    expect(warnings.find((warning) => warning.includes("c.heic"))).toMatch(/HEIC.*JPEG.*sips/);
    expect(warnings.find((warning) => warning.includes("e.npz"))).toContain("e.npz, notes.md");
  });

  test("with many other files names ten for each reason", async () => {
    await put("a.jpg");
    for (let i = 0; i < 25; i++) await put([`a${10 + i}.npz`, ""]);
    expect((await found()).warnings).toEqual([expect.stringMatching(/a10\.npz.*a19\.npz and 15 more/)]);
  });

  test("without pictures says what it contains", async () => {
    await put(["c.heic", "\0\0\0\x18ftypheic\0\0\0\0mif1heic"], "cats/a.jpg");
    await expect(pictureFolder(folder)).rejects.toThrow(refusal("pictures-missing", folder, "c.heic", "HEIC", "cats/"));
    await expect(pictureFolder(join(folder, "c.heic"))).rejects.toThrow(refusal("pictures-missing", "c.heic"));
  });
});

describe("captions", () => {
  test("are in .txt files, in .caption files, in capitals too", async () => {
    await put("a.jpg", "b.jpg", "c.d.png", ["a.txt", "one\r\n"], ["b.caption", "two"], ["c.d.TXT", "three"]);
    expect((await found()).pictures.map(([, caption]) => caption)).toEqual(["one", "two", "three"]);
  });

  test("that are not used cause a warning", async () => {
    await put("a.jpg", ["a.txt", "one"], ["a.caption", "two"], ["b.txt", "of no picture"]);
    const { pictures, leftOut, warnings } = await found();
    expect(pictures).toEqual([["a.jpg", "one", 1]]);
    expect(leftOut).toEqual(["a.caption", "b.txt"]);
    expect(warnings.join()).toContain("a.txt is used instead");
  });

  // The form is that of Hugging Face datasets' ImageFolder.
  test("are in metadata.jsonl, also for pictures in subfolders", async () => {
    await put("a.jpg", "b.jpg", "train/c.jpg", "train/d.jpg");
    const lines = [
      { file_name: "a.jpg", text: "one", source: "mine" },
      { file_name: "train/c.jpg", prompt: "two", width: 9 },
      { file_name: "gone.jpg", text: "three" },
      { file_name: "../outside.jpg", text: "four" },
    ];
    await put(["metadata.jsonl", lines.map((line) => JSON.stringify(line)).join("\r\n")]);
    const { pictures, leftOut } = await found();
    expect(pictures).toEqual([
      ["a.jpg", "one", 1],
      ["b.jpg", undefined, 1],
      ["train/c.jpg", "two", 1],
    ]);
    expect(leftOut).toEqual(["metadata.jsonl: ../outside.jpg", "metadata.jsonl: gone.jpg", "train/d.jpg"]);
  });

  test("in files with similar names are not read, with a warning", async () => {
    await put("a.jpg", ["metadata.json1", "{}"], ["metadata.csv", ""], ["meta_cap.json", "{}"]);
    const { leftOut, warnings } = await found();
    expect(leftOut).toEqual(["meta_cap.json", "metadata.csv", "metadata.json1"]);
    expect(warnings).toEqual([expect.stringContaining("metadata.jsonl")]);
  });

  test.each([
    // datasets#7337: a string that is not the text.
    ['{"file_name": "a.jpg", "id": "GCC_train_1"}', "text"],
    ['{"file_name": "a.jpg", "text": 1}', "text"],
    // donut#69: several on a line.
    ['{"file_name": "a.jpg", "text": "a"} {"file_name": "b.jpg", "text": "b"}', "JSON"],
    ['{"text": "a cat"}', "file_name"],
    ["{", "JSON"],
  ])("in an invalid metadata.jsonl are refused: %s", async (line, fact) => {
    await put("a.jpg", ["metadata.jsonl", `{"file_name": "a.jpg", "text": "one"}\n\n${line}`]);
    const file = join(folder, "metadata.jsonl");
    await expect(pictureFolder(folder)).rejects.toThrow(refusal("json-unexpected", file, "2", fact));
  });
});

describe("kohya's folders", () => {
  test("set repeats, and the caption of pictures without one", async () => {
    await put("10_sks cat/a.jpg", "10_sks cat/b.jpg", ["10_sks cat/b.txt", "asleep"], "20_sks cat asleep/c.jpg");
    await put("0_off/d.jpg", "more/e.jpg", ["10_sks cat/f.npz", ""]);
    const { pictures, leftOut, notes } = await found();
    expect(pictures).toEqual([
      ["10_sks cat/a.jpg", "sks cat", 1],
      ["10_sks cat/b.jpg", "asleep", 1],
      ["20_sks cat asleep/c.jpg", "sks cat asleep", 2],
    ]);
    expect(leftOut).toEqual(["0_off/", "10_sks cat/f.npz", "more/"]);
    expect(notes).toHaveLength(2);
    const [inner] = (await pictureFolder(join(folder, "10_sks cat"))).pictures;
    expect(inner).toMatchObject({ name: "a.jpg", repeats: 1, caption: undefined });
    expect(notes[1]).toMatch(/20_sks cat asleep.* 20 times.*"sks cat asleep"/);
  });

  test("are left out if the folder itself has pictures", async () => {
    await put("a.jpg", "2024_holiday/b.jpg");
    const { pictures, leftOut } = await found();
    expect([pictures.map(([name]) => name), leftOut]).toEqual([["a.jpg"], ["2024_holiday/"]]);
  });
});
