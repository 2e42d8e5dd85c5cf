/** Picture formats by their first bytes, and whether there is more than one frame. */
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { hasMoreFrames, kindOfPicture, refuseOtherKinds } from "./kinds.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
/** The first box of ISO's base media format. */
const box = (...brands: readonly string[]): Uint8Array =>
  bytes(`\0\0\0${String.fromCharCode(8 + 4 * (brands.length + 1))}ftyp${brands[0]}\0\0\0\0${brands.slice(1).join("")}`);

describe("the format of a file is recognised:", () => {
  const drawn = () => sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } });
  test.each(["jpeg", "png", "webp", "gif", "tiff", "avif"] as const)("%s, which is supported", async (format) => {
    const file = new Uint8Array(await drawn().toFormat(format).toBuffer());
    expect(kindOfPicture(file, "a")).toEqual({ name: expect.stringMatching(new RegExp(format, "i")) });
    expect(() => refuseOtherKinds("a", file)).not.toThrow();
  });

  // Brands as written by phones and libheif; magic numbers from the formats' specifications.
  test.each([
    [box("heic", "mif1", "heic"), "a.jpg", "HEIC", "export it as JPEG"],
    [box("mif1", "heix"), "a.jpg", "HEIC", "export it as JPEG"],
    [bytes(""), "IMG_1.HEIC", "HEIC", "export it as JPEG"],
    [box("qt  "), "a.jpg", "video", "frames"],
    [box("isom", "iso2", "mp41"), "a.jpg", "video", "frames"],
    [box("crx ", "isom"), "a.jpg", "CR3", "develop"],
    [bytes("II*\0\x10\0\0\0CR\x02\0"), "a.jpg", "CR2", "develop"],
    [bytes("II*\0\x08\0\0\0"), "a.dng", "raw", "develop"],
    [bytes("\x76\x2f\x31\x01"), "a.jpg", "OpenEXR", "JPEG or PNG"],
    [bytes("8BPS\0\x01"), "a.png", "PSD", "JPEG or PNG"],
    [bytes("\xff\x0a\xfa"), "a.png", "JPEG XL", "JPEG or PNG"],
    [bytes('<?xml version="1.0"?>\n<svg xmlns="x">'), "a.png", "SVG", "JPEG or PNG"],
    [bytes("<svg>"), "a.png", "SVG", "JPEG or PNG"],
    [bytes("%PDF-1.7"), "a.jpg", "PDF", "JPEG or PNG"],
    [bytes("RIFF\0\0\0\0AVI "), "a.jpg", "AVI", "frames"],
    [bytes("\x1aE\xdf\xa3"), "a.jpg", "WebM", "frames"],
  ])("one that is not supported: %# %s", (head, file, name, fix) => {
    expect(kindOfPicture(head, file)?.unread).toContain(name);
    expect(() => refuseOtherKinds(file, head)).toThrow(refusal("picture-unreadable", file, name, fix));
  });

  test("AVIF's brand before HEIC's, and the bytes before the name", async () => {
    expect(kindOfPicture(box("mif1", "avif", "miaf"), "a.heic")?.name).toBe("AVIF");
    expect(kindOfPicture(new Uint8Array(await drawn().jpeg().toBuffer()), "IMG_1.HEIC")).toEqual({ name: "JPEG" });
    expect(kindOfPicture(bytes("some words"), "a.md")).toBeUndefined();
  });

  test.each([
    ["<!DOCTYPE html><html>", "web-page"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "lfs-pointer"],
    ["\0".repeat(600), "download-incomplete"],
    ["", "picture-unreadable"],
    ["some words", "picture-unreadable"],
  ] as const)("a file that is not a picture: %j", (text, code) => {
    expect(() => refuseOtherKinds("a.jpg", bytes(text))).toThrow(refusal(code, "a.jpg"));
  });
});

describe("frames after the first", () => {
  const [red, blue] = [Buffer.alloc(300, Buffer.from([255, 0, 0])), Buffer.alloc(300, Buffer.from([0, 0, 255]))];
  const frames = (...all: readonly Buffer[]) =>
    sharp(Buffer.concat(all), { raw: { width: 10, height: 10 * all.length, channels: 3, pageHeight: 10 } });

  test.each(["gif", "webp"] as const)("in a %s are found", async (format) => {
    expect(hasMoreFrames(await frames(red, blue).toFormat(format).toBuffer())).toBe(true);
    expect(hasMoreFrames(await frames(red).toFormat(format).toBuffer())).toBe(false);
  });

  test("in an APNG are found, and a PNG has none", async () => {
    const png = await frames(red).png().toBuffer();
    expect(hasMoreFrames(png)).toBe(false);
    expect(hasMoreFrames(apng(png, 2))).toBe(true);
    expect(hasMoreFrames(apng(png, 1))).toBe(false);
  });

  test("in a TIFF are its further pages", async () => {
    const tiff = await frames(red).tiff({ compression: "none" }).toBuffer();
    expect(hasMoreFrames(tiff)).toBe(false);
    // The offset of the next page follows the twelve-byte entries.
    const at = tiff.readUInt32LE(4);
    tiff.writeUInt32LE(8, at + 2 + 12 * tiff.readUInt16LE(at));
    expect(hasMoreFrames(tiff)).toBe(true);
  });
});

/** A PNG with APNG's acTL chunk after its header: the number of frames, played forever. */
function apng(png: Buffer, count: number): Buffer {
  const chunk = Buffer.alloc(20);
  chunk.writeUInt32BE(8, 0);
  chunk.write("acTL", 4);
  chunk.writeUInt32BE(count, 8);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}
