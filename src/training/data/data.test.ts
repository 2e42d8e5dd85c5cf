/** The inputs of a run: pictures in every format, their order, random streams. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeCovering } from "#images";
import { refusal } from "../../../test/refusal.ts";
import { pictureNames } from "../../images/folder.ts";
import { mirrored, type Planes, planesOf } from "../../images/pixels.ts";
import { normalValues, randomStream } from "../../random/streams.ts";
import { learningRateFactor } from "../optimise/learning-rate.ts";
import { augment } from "./augmentation.ts";
import { dataOrder } from "./data-order.ts";
import { readPictures } from "./pictures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-pictures-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Left half red, right half blue, 64 wide and 32 high. */
const redBlue = () =>
  sharp({ create: { width: 64, height: 32, channels: 3, background: "red" } }).composite([
    { input: { create: { width: 32, height: 32, channels: 3, background: "blue" } }, left: 32, top: 0 },
  ]);

/** Red, green and blue of a pixel, 0 to 255. */
const pixel = ({ size, data }: Planes, x: number, y: number) =>
  [0, 1, 2].map((c) => Math.round((data[c * size * size + y * size + x]! + 1) * 127.5));

const readPlanes = async (file: string, size: number) =>
  planesOf((await decodeCovering(file, await readFile(file), size)).data, size);

describe("a picture", () => {
  test("is resized by its shorter side and centre-cropped", async () => {
    const file = join(folder, "wide.png");
    await redBlue().png().toFile(file);
    const planes = await readPlanes(file, 16);
    expect(planes.data.length).toBe(3 * 16 * 16);
    expect(pixel(planes, 0, 8)).toEqual([255, 0, 0]);
    expect(pixel(planes, 15, 8)).toEqual([0, 0, 255]);
  });

  test("with an odd number of excess rows or columns is cropped like torchvision's CenterCrop", async () => {
    const file = join(folder, "odd.png");
    // Python rounds half to even: of 1 excess column it cuts round(0.5) = 0 at the left, of 3 round(1.5) = 2.
    for (const [more, cut] of [
      [1, 0],
      [3, 2],
      [5, 2],
    ] as const) {
      const [width, height] = [16 + more, 16];
      const columns = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => Math.floor(i / 3) % width));
      const picture = sharp(columns, { raw: { width, height, channels: 3 } });
      await picture.png().toFile(file);
      expect(pixel(await readPlanes(file, 16), 0, 0)).toEqual([cut, cut, cut]);
      await picture.rotate(90).png().toFile(file);
      expect(pixel(await readPlanes(file, 16), 0, 0)).toEqual([cut, cut, cut]);
    }
  });

  test("is rotated by its EXIF orientation", async () => {
    const file = join(folder, "turned.jpg");
    // Orientation 6: the camera was rotated by 90 degrees; upright, the stored left half is at the top.
    await redBlue().withMetadata({ orientation: 6 }).jpeg({ quality: 100, chromaSubsampling: "4:4:4" }).toFile(file);
    const planes = await readPlanes(file, 16);
    const [top, bottom] = [pixel(planes, 8, 1), pixel(planes, 8, 14)];
    expect(top[0]).toBeGreaterThan(240);
    expect(bottom[2]).toBeGreaterThan(240);
  });

  test.each([
    ["greyscale", (s: Sharp) => s.toColourspace("b-w").png(), [54, 54, 54]],
    ["16 bits a channel", (s: Sharp) => s.toColourspace("rgb16").png(), [255, 0, 0]],
    ["CMYK", (s: Sharp) => s.toColourspace("cmyk").jpeg({ quality: 100 }), [237, 28, 36]],
  ])("in %s is read as RGB", async (name, convert, colour) => {
    const file = join(folder, `${name}.img`);
    await convert(sharp({ create: { width: 20, height: 20, channels: 3, background: "red" } })).toFile(file);
    const read = pixel(await readPlanes(file, 8), 4, 4);
    // CMYK's red depends on the profile: within a third of the range.
    const tolerance = name === "CMYK" ? 40 : name === "greyscale" ? 80 : 1;
    for (const [i, value] of read.entries()) expect(Math.abs(value - colour[i]!)).toBeLessThanOrEqual(tolerance);
    if (name === "greyscale") expect(new Set(read).size).toBe(1);
  });

  test("with transparency is blended onto white", async () => {
    const file = join(folder, "clear.png");
    await sharp({ create: { width: 20, height: 20, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
      .png()
      .toFile(file);
    expect(pixel(await readPlanes(file, 8), 4, 4)).toEqual([255, 255, 255]);
  });

  test("of 12 megapixels is read", async () => {
    const file = join(folder, "large.jpg");
    await sharp({ create: { width: 4000, height: 3000, channels: 3, background: "green" } })
      .jpeg()
      .toFile(file);
    const [red, green, blue] = pixel(await readPlanes(file, 64), 30, 30);
    expect([red! < 5, Math.abs(green! - 128) < 5, blue! < 5]).toEqual([true, true, true]);
  });

  test("is mirrored left to right, and twice gives itself", async () => {
    const file = join(folder, "wide.png");
    const planes = await readPlanes(file, 16);
    expect(pixel(mirrored(planes), 0, 8)).toEqual([0, 0, 255]);
    expect(mirrored(mirrored(planes))).toEqual(planes);
  });
});

describe("a folder of pictures", () => {
  test("is read in the order of names, with captions", async () => {
    const own = await mkdtemp(join(folder, "own-"));
    for (const name of ["b.PNG", "a.webp"]) {
      await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
        .toFormat(name.endsWith("webp") ? "webp" : "png")
        .toFile(join(own, name));
    }
    await writeFile(join(own, "a.txt"), " a sks cat asleep \n");
    await writeFile(join(own, "notes.md"), "not a picture");
    await writeFile(join(own, "IMG_1.HEIC"), "a picture in an unsupported format");
    const { pictures, warnings } = await readPictures(own, 8);
    expect(pictures.map(({ file, caption }) => [file.slice(own.length + 1), caption])).toEqual([
      ["a.webp", "a sks cat asleep"],
      ["b.PNG", undefined],
    ]);
    expect(warnings).toEqual([expect.stringMatching(/IMG_1\.HEIC.*HEIC.*JPEG/), expect.stringContaining("notes.md")]);
  });

  test("with a broken picture is refused, naming it", async () => {
    const broken = await mkdtemp(join(folder, "broken-"));
    const whole = await redBlue().jpeg().toBuffer();
    await writeFile(join(broken, "cut.jpg"), whole.subarray(0, 200));
    await expect(readPictures(broken, 8)).rejects.toThrow(refusal("picture-unreadable", join(broken, "cut.jpg")));
  });

  test("that is missing or empty is refused", async () => {
    for (const path of [join(folder, "nowhere"), await mkdtemp(join(folder, "empty-"))]) {
      await expect(pictureNames(path)).rejects.toThrow(refusal("pictures-missing", path));
    }
  });
});

test("every epoch has every picture once, in an order that depends on the seed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 1000 }), (count, seed) => {
      const order = dataOrder(seed, "subject", count);
      const again = dataOrder(seed, "subject", count);
      for (let epoch = 0; epoch < 3; epoch++) {
        const drawn = Array.from({ length: count }, (_, i) => order(epoch * count + i));
        expect([...drawn].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(again(epoch * count + count - 1)).toBe(drawn.at(-1));
      }
    }),
  );
  const orders = Array.from({ length: 8 }, (_, epoch) => {
    const order = dataOrder(7, "subject", 10);
    return Array.from({ length: 10 }, (_, i) => order(10 * epoch + i)).join();
  });
  expect(new Set(orders).size).toBe(8);
});

test("streams depend only on seed, purpose and index, and look random", () => {
  expect(normalValues(1, "noise", 5, 32)).toEqual(normalValues(1, "noise", 5, 32));
  for (const [seed, purpose, number] of [
    [2, "noise", 5],
    [1, "latents", 5],
    [1, "noise", 6],
  ] as const) {
    expect(normalValues(seed, purpose, number, 32)).not.toEqual(normalValues(1, "noise", 5, 32));
  }
  // First draws of neighbouring streams: mean 499.5 with a standard error of 4.1.
  const draws = Array.from({ length: 5000 }, (_, i) => randomStream(3, "subject", i).integer(1000));
  const mean = draws.reduce((a, b) => a + b) / draws.length;
  expect(Math.abs(mean - 499.5)).toBeLessThan(16);
  expect(new Set(draws.map((d) => Math.floor(d / 100))).size).toBe(10);
});

test("learning rates follow Diffusers' schedules", () => {
  const at = (name: "constant" | "linear" | "cosine", step: number) =>
    learningRateFactor(name, step, { steps: 100, warmup: 10 });
  expect([0, 5, 10, 99].map((step) => at("constant", step))).toEqual([0, 0.5, 1, 1]);
  expect([5, 10, 55, 100].map((step) => at("linear", step))).toEqual([0.5, 1, 0.5, 0]);
  expect(at("cosine", 55)).toBeCloseTo(0.5, 12);
  expect(at("cosine", 100)).toBeCloseTo(0, 12);
});

test("augmented pictures keep their size, and the empty canvas does not count in the loss", () => {
  const picture = { size: 64, data: new Float32Array(3 * 64 * 64).fill(0.5) };
  const kinds = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { planes, words, mask } = augment(picture, 8, randomStream(1, "subject", i));
    kinds.add(words);
    expect(planes.data.length).toBe(picture.data.length);
    expect(mask.length).toBe(64);
    expect(mask.some((m) => m === 1)).toBe(true);
    for (const [cell, counts] of mask.entries()) {
      if (counts === 0) continue;
      const [y, x] = [Math.floor(cell / 8) * 8, (cell % 8) * 8];
      // The middle of a cell that counts shows the picture.
      expect(planes.data[(y + 4) * 64 + x + 4]).toBeCloseTo(0.5, 5);
    }
    if (words === "zoomed in " || words === "close up ") expect(mask.every((m) => m === 1)).toBe(true);
  }
  expect(kinds).toEqual(new Set(["", "a far away ", "very small ", "zoomed in ", "close up "]));
});

test("augmented pictures are the right way up, every channel in its place", () => {
  const size = 64;
  // A gradient from top to bottom, each channel in its own range.
  const data = Float32Array.from(
    { length: 3 * size * size },
    (_, i) => 10 * (1 + Math.floor(i / size ** 2)) + (Math.floor(i / size) % size) / size,
  );
  for (let i = 0; i < 30; i++) {
    const { planes, mask } = augment({ size, data }, 8, randomStream(1, "subject", i));
    const cells = size / 8;
    for (const [cell, covered] of mask.entries()) {
      if (covered === 0) continue;
      const [y, x] = [Math.floor(cell / cells) * 8 + 2, (cell % cells) * 8 + 2];
      for (let channel = 0; channel < 3; channel++) {
        const at = (row: number) => planes.data[(channel * size + row) * size + x]!;
        expect(Math.floor(at(y) / 10)).toBe(channel + 1);
        expect(at(y + 4)).toBeGreaterThan(at(y));
      }
    }
  }
});
