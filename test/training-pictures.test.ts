/** Training on folders of pictures and captions as people have them. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TrainingRequest, train } from "../src/index.ts";
import { readPictures } from "../src/training/data/pictures.ts";
import { picturesIdentity } from "../src/training/data/pictures-identity.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

let folder: string;
let images: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  images = join(folder, "images");
  await mkdir(images);
});
afterEach(() => rm(folder, { recursive: true }));

const drawn = (background = "red") => sharp({ create: { width: 80, height: 70, channels: 3, background } });

async function put(name: string, contents?: string | Uint8Array) {
  await mkdir(dirname(join(images, name)), { recursive: true });
  await writeFile(join(images, name), contents ?? (await drawn().jpeg().toBuffer()));
}

/** The warnings of a two-step run. */
async function learn(more: Partial<TrainingRequest> = {}): Promise<string[]> {
  const names = { model: fixture("pipelines/sd15"), images, token: "sks", class: "cat" };
  const request = { ...names, out: join(folder, "a.safetensors"), steps: 2, prior: false, resolution: 64, ...more };
  const warnings: string[] = [];
  for await (const event of train("dreambooth", request, { device: "cpu" }))
    if (event.type === "warning") warnings.push(event.message);
  return warnings;
}

test("captions in UTF-16 are read; in cp1252 or GBK they are refused, naming the file", async () => {
  await put("utf16.png", await drawn().png().toBuffer());
  // What Notepad writes as Unicode (A1111#3657).
  await put("utf16.txt", Buffer.from("\ufeffa sks cat on a sofa", "utf16le"));
  expect((await readPictures(images, 64)).pictures.map(({ caption }) => caption)).toEqual(["a sks cat on a sofa"]);
  expect(await learn()).toEqual([]);
  // "a café" in cp1252 and a caption in GBK (ComfyUI-FluxTrainer#14).
  for (const hex of ["6120636166e9", "d2bbd6bbc3a82c20736b7320636174"]) {
    await put("utf16.txt", Buffer.from(hex, "hex"));
    const again = learn({ out: join(folder, "b.safetensors") });
    await expect(again).rejects.toThrow(refusal("text-encoding", join(images, "utf16.txt")));
  }
});

test("every JPEG is used whatever its extension, and so are bitmaps; other formats cause a warning", async () => {
  for (const name of ["a.jpg", "b.jfif", "d.jpe"]) await put(name);
  // A bitmap of one red pixel.
  const header = [40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0, ...new Array(24).fill(0)];
  await put("e.bmp", Uint8Array.from([66, 77, 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, ...header, 0, 0, 255, 0]));
  await put("c.heic", "\0\0\0\x18ftypheic\0\0\0\0mif1heic");
  await put("f.mov", "\0\0\0\x14ftypqt  \0\0\0\0qt  ");
  const warnings = await learn();
  expect(warnings).toEqual([expect.stringMatching(/c\.heic.*HEIC/), expect.stringMatching(/f\.mov.*video/)]);
  const { pictures } = await readPictures(images, 64);
  const planes = await pictures[3]!.planes();
  expect(pictures.map(({ name }) => name)).toEqual(["a.jpg", "b.jfif", "d.jpe", "e.bmp"]);
  // Pure red, in -1..1.
  expect([0, 64 * 64, 2 * 64 * 64].map((at) => planes.data[at])).toEqual([1, -1, -1]);
});

test("a run on kohya's folders resumes only with the same pictures and captions", async () => {
  await put("10_sks cat/a.jpg");
  await put("10_sks cat/b.jpg", await drawn("teal").jpeg().toBuffer());
  await put("5_sks cat asleep/c.gif", await moving());
  await put("5_sks cat asleep/.DS_Store", "");
  const warnings = await learn();
  expect(warnings).toEqual([
    expect.stringContaining(join("5_sks cat asleep", "c.gif")),
    expect.stringMatching(/10_sks cat .*10 times.*"sks cat"/),
    expect.stringMatching(/5_sks cat asleep .*5 times.*"sks cat asleep"/),
  ]);
  const { pictures } = await readPictures(images, 64);
  expect(pictures.map(({ caption, repeats }) => [caption, repeats])).toEqual([
    ["sks cat", 2],
    ["sks cat", 2],
    ["sks cat asleep", 1],
  ]);
  expect(await learn({ resume: true, steps: 3 })).toEqual(warnings);
  await put("10_sks cat/a.caption", "a sks cat");
  await expect(learn({ resume: true, steps: 4 })).rejects.toThrow(refusal("resume-mismatch", "captions"));
});

test.each([
  ["files beside them", ["a.jpg", "b.jfif", "a.txt", "b.caption"]],
  ["metadata.jsonl", ["a.jpg", "metadata.jsonl"]],
  ["kohya's folders", ["2_cat/a.jpg", "2_cat/a.txt", "3_dog/b.jpg"]],
])("pictures are the same set to experiments and to training, with captions in %s", async (_, names) => {
  for (const name of names)
    await put(
      name,
      name.endsWith("jsonl") ? '{"file_name": "a.jpg", "text": "x"}' : /g$|jfif$/.test(name) ? undefined : "x",
    );
  const { identity } = await readPictures(images, 64);
  expect(identity).toBe(await picturesIdentity(images));
  for (const name of names) {
    if (/g$|jfif$/.test(name)) continue;
    await put(name, name.endsWith("jsonl") ? '{"file_name": "a.jpg", "text": "y"}' : "y");
    expect(await picturesIdentity(images)).not.toBe(identity);
  }
});

test("a picture that changes during training is refused", async () => {
  await put("a.jpg");
  const { pictures } = await readPictures(images, 64);
  expect((await pictures[0]!.planes()).data.length).toBe(3 * 64 * 64);
  await put("a.jpg", await drawn("blue").jpeg().toBuffer());
  await expect(pictures[0]!.planes()).rejects.toThrow(refusal("file-changed", join(images, "a.jpg")));
});

/** A GIF of two frames. */
const moving = () =>
  sharp(Buffer.alloc(2400, Buffer.from([255, 0, 0, 255, 0, 1])), {
    raw: { width: 20, height: 40, channels: 3, pageHeight: 20 },
  })
    .composite([{ input: { create: { width: 5, height: 5, channels: 3, background: "blue" } }, left: 0, top: 30 }])
    .gif()
    .toBuffer();

test("a missing folder of pictures is refused before the model is looked for", async () => {
  const wrong = learn({ model: join(folder, "no-model"), images: join(folder, "misspelt") });
  await expect(wrong).rejects.toThrow(refusal("pictures-missing", join(folder, "misspelt")));
});
