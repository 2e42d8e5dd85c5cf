/** Pictures as cameras, phones and programs write them are decoded upright, to sRGB. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chance, expectBoth, mutate, mutations, survives } from "../../../test/fuzz.ts";
import { refusal } from "../../../test/refusal.ts";
import { decodeCovering, readPixels } from "./decode.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

const plain = (r: number, g: number, b: number, side = 20) =>
  sharp({ create: { width: side, height: side, channels: 3, background: { r, g, b } } });

/** The colour in the middle, as a picture of one size and as it is. */
async function colours(bytes: Uint8Array): Promise<[number[], number[]]> {
  const file = join(folder, "a.img");
  await writeFile(file, bytes);
  const [covering, whole] = [await decodeCovering(file, bytes, 8), await readPixels(file)];
  const middle = 3 * (whole.width * (whole.height >> 1) + (whole.width >> 1));
  return [[...covering.data.subarray(3 * 36, 3 * 37)], [...whole.data.subarray(middle, middle + 3)]];
}

async function expectColour(bytes: Uint8Array, expected: readonly number[], tolerance: number) {
  for (const colour of await colours(bytes)) {
    for (const [i, value] of colour.entries())
      expect(Math.abs(value - expected[i]!), `${colour} for ${expected}`).toBeLessThanOrEqual(tolerance);
  }
}

describe("a colour profile is applied:", () => {
  test("Display P3, as iPhones write it", async () => {
    const jpeg = await plain(255, 0, 0)
      .withIccProfile("p3")
      .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
      .toBuffer();
    // sRGB's red in P3 is 234, 51, 35: the result if the profile were ignored.
    const raw = await sharp(jpeg, { ignoreIcc: true }).raw().toBuffer();
    expect(Math.abs(raw[1]! - 51)).toBeLessThan(6);
    // For rounding by JPEG and the profile.
    await expectColour(jpeg, [255, 0, 0], 6);
  });

  test("Adobe RGB", async () => {
    const file = join(folder, "adobe.icc");
    await writeFile(file, adobeRgb());
    const raw = Buffer.alloc(20 * 20 * 3, Buffer.from([100, 150, 100]));
    const png = await sharp(raw, { raw: { width: 20, height: 20, channels: 3 } })
      .withIccProfile(file)
      .png()
      .toBuffer();
    const stored = [...(await sharp(png, { ignoreIcc: true }).raw().toBuffer()).subarray(0, 3)];
    // sRGB's 100, 150, 100 in Adobe RGB (1998), by its formula with D65: 116, 149, 103.
    for (const [i, value] of [116, 149, 103].entries()) expect(Math.abs(stored[i]! - value)).toBeLessThanOrEqual(2);
    await expectColour(png, [100, 150, 100], 2);
  });

  test("CMYK with a press profile", async () => {
    const jpeg = await plain(120, 160, 120)
      .toColourspace("cmyk")
      .withIccProfile("cmyk")
      .jpeg({ quality: 100 })
      .toBuffer();
    expect((await sharp(jpeg).metadata()).space).toBe("cmyk");
    // There and back by the profile's tables; PIL's conversion, 255 minus each ink, would give 110, 199, 85.
    await expectColour(jpeg, [120, 160, 120], 10);
  });

  test("a damaged one is ignored", async () => {
    const jpeg = await plain(200, 100, 50).withIccProfile("p3").jpeg({ quality: 100 }).toBuffer();
    const at = jpeg.indexOf("acsp") - 36;
    jpeg.fill(0x41, at, at + 128);
    for (const colour of await colours(jpeg)) expect(colour[0]).toBeGreaterThan(colour[2]!);
  });
});

describe("a picture", () => {
  const sixteen = (value: number, channels: 1 | 3) =>
    sharp(new Uint16Array(20 * 20 * channels).fill(value), { raw: { width: 20, height: 20, channels } });

  test.each([
    ["RGB", (value: number) => sixteen(value, 3).toColourspace("rgb16")],
    ["greyscale, which PIL turns white", (value: number) => sixteen(value, 1).toColourspace("grey16")],
  ])("with 16 bits per channel keeps its brightness: %s", async (_, made) => {
    for (const [value, expected] of [
      [0, 0],
      [0x4000, 64],
      [0xa000, 160],
      [0xffff, 255],
    ] as const) {
      const png = await made(value).png().toBuffer();
      expect((await sharp(png).metadata()).depth).toBe("ushort");
      await expectColour(png, [expected, expected, expected], 1);
    }
  });

  test.each([
    ["RGBA", (s: Sharp) => s.png()],
    ["a palette", (s: Sharp) => s.png({ palette: true })],
    ["WebP", (s: Sharp) => s.webp({ lossless: true })],
    ["GIF", (s: Sharp) => s.gif()],
  ])("with transparency is composited on white: %s", async (name, written) => {
    const clear = (alpha: number) =>
      sharp({ create: { width: 20, height: 20, channels: 4, background: { r: 255, g: 0, b: 0, alpha } } });
    await expectColour(await written(clear(0)).toBuffer(), [255, 255, 255], 0);
    // Half-transparent red on white; a GIF has no half-transparent pixels.
    if (name !== "GIF") await expectColour(await written(clear(0.5)).toBuffer(), [255, 127, 127], 2);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("is rotated by EXIF orientation %i", async (orientation) => {
    // Four quarters in reading order, and where each is in the upright picture.
    const values = [0, 80, 160, 240];
    const upright = ["0123", "1032", "3210", "2301", "0213", "2031", "3120", "1302"][orientation - 1]!;
    const data = Buffer.from(
      Array.from({ length: 16 * 16 * 3 }, (_, i) => {
        const [x, y] = [Math.floor(i / 3) % 16, Math.floor(i / 48)];
        return values[(y >= 8 ? 2 : 0) + (x >= 8 ? 1 : 0)]!;
      }),
    );
    const jpeg = await sharp(data, { raw: { width: 16, height: 16, channels: 3 } })
      .withMetadata({ orientation })
      .jpeg({ quality: 100 })
      .toBuffer();
    const read = await decodeCovering("a.jpg", jpeg, 16);
    const quarter = (x: number, y: number) => Math.round(read.data[(y * 16 + x) * 3]! / 80);
    expect([quarter(3, 3), quarter(12, 3), quarter(3, 12), quarter(12, 12)].join("")).toBe(upright);
  });

  test.each(["gif", "webp"] as const)("with several frames shows the first: %s", async (format) => {
    const frames = Buffer.concat([
      Buffer.alloc(300, Buffer.from([255, 0, 0])),
      Buffer.alloc(300, Buffer.from([0, 0, 255])),
    ]);
    const moving = sharp(frames, { raw: { width: 10, height: 20, channels: 3, pageHeight: 10 } });
    const bytes = await moving.toFormat(format, { lossless: true }).toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(2);
    await expectColour(bytes, [255, 0, 0], 0);
  });

  test.each([
    [1, 1],
    [20_000, 30],
    [30, 20_000],
    [20_000, 1],
  ])("of %i x %i is read", async (width, height) => {
    const png = await sharp({ create: { width, height, channels: 3, background: "teal" } })
      .png()
      .toBuffer();
    await expectColour(png, [0, 128, 128], 0);
  });

  test.each([0.02, 0.5, 0.9])("cut short at %d of its length is refused, naming the file", async (share) => {
    const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256));
    const whole = sharp(noise, { raw: { width: 64, height: 64, channels: 3 } });
    for (const bytes of [await whole.jpeg().toBuffer(), await whole.png().toBuffer(), await whole.webp().toBuffer()]) {
      const cut = bytes.subarray(0, share * bytes.length);
      await expect(decodeCovering("a.jpg", cut, 8)).rejects.toThrow(refusal("picture-unreadable", "a.jpg"));
    }
  });
});

test("mutated pictures are read or refused in time", async () => {
  const dice = chance(1);
  const noise = Buffer.from(Array.from({ length: 24 * 24 * 3 }, (_, i) => (i * 7919) % 256));
  const whole = sharp(noise, { raw: { width: 24, height: 24, channels: 3 } });
  const files: Buffer[] = [];
  for (const format of ["jpeg", "png", "webp", "gif", "tiff", "avif"] as const)
    files.push(await whole.clone().withIccProfile("p3").withMetadata({ orientation: 6 }).toFormat(format).toBuffer());
  const header = [40, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 24, 0, ...new Array(24).fill(0)];
  const bitmap = [66, 77, 102, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, ...header, ...noise.subarray(0, 48)];
  files.push(Buffer.from(bitmap));
  const words = ["\xff\xd8\xff", "IHDR", "ANIM", "\0\0\0\0", "\xff\xff\xff\xff"];
  const count = mutations(1500);
  let read = 0;
  for (let i = 0; i < count; i++) {
    const bytes = mutate(dice, files[i % files.length]!, { words, text: false });
    const decode = async () => expect((await decodeCovering("a.img", bytes, 16)).data.length).toBe(3 * 16 * 16);
    if (await survives(decode, () => bytes.toString("hex"))) read++;
  }
  expectBoth(read, count);
});

/** Adobe RGB (1998) as an ICC profile of version 2: three primaries (adapted to D50) and a gamma of 563/256. */
function adobeRgb(): Buffer {
  const fixed = (value: number) => Math.round(value * 65_536);
  const xyz = (...values: readonly number[]) => {
    const tag = Buffer.alloc(20);
    tag.write("XYZ ");
    for (const [i, value] of values.entries()) tag.writeInt32BE(fixed(value), 8 + 4 * i);
    return tag;
  };
  const gamma = Buffer.alloc(16);
  gamma.write("curv");
  gamma.writeUInt32BE(1, 8);
  gamma.writeUInt16BE(563, 12);
  const text = Buffer.alloc(24);
  text.write("text");
  text.write("none", 8);
  const description = Buffer.alloc(100);
  description.write("desc");
  description.writeUInt32BE(10, 8);
  description.write("Adobe RGB", 12);
  const tags = [
    ["desc", description],
    ["cprt", text],
    ["wtpt", xyz(0.9642, 1, 0.8249)],
    ["rXYZ", xyz(0.60974, 0.31111, 0.01947)],
    ["gXYZ", xyz(0.20528, 0.62567, 0.06087)],
    ["bXYZ", xyz(0.14919, 0.06322, 0.74457)],
    ["rTRC", gamma],
    ["gTRC", gamma],
    ["bTRC", gamma],
  ] as const;
  const table = Buffer.alloc(4 + 12 * tags.length);
  table.writeUInt32BE(tags.length);
  let at = 128 + table.length;
  for (const [i, [name, data]] of tags.entries()) {
    table.write(name, 4 + 12 * i);
    table.writeUInt32BE(at, 8 + 12 * i);
    table.writeUInt32BE(data.length, 12 + 12 * i);
    at += data.length;
  }
  const header = Buffer.alloc(128);
  header.writeUInt32BE(at);
  header.writeUInt32BE(0x02100000, 8);
  header.write("mntrRGB XYZ ", 12);
  header.write("acsp", 36);
  for (const [i, value] of [0.9642, 1, 0.8249].entries()) header.writeInt32BE(fixed(value), 68 + 4 * i);
  return Buffer.concat([header, table, ...tags.map(([, data]) => data)]);
}
