import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { createContactSheet, type SheetPlan } from "./contact-sheet.ts";
import { breakLines, measure } from "./lettering.ts";

const flat = (width: number, height: number, colour: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!),
});
const red = [255, 0, 0] as const;
const blue = [0, 0, 255] as const;

async function pixelsOf(png: Uint8Array) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  const count = (colour: readonly number[]) => {
    let n = 0;
    for (let i = 0; i < data.length; i += 3) if (colour.every((value, c) => data[i + c] === value)) n++;
    return n;
  };
  return {
    width: info.width,
    height: info.height,
    count,
    at: (x: number, y: number) => [...data.subarray((y * info.width + x) * 3).subarray(0, 3)],
  };
}

describe("a contact sheet", () => {
  test("shows every picture whole, in its row and column", async () => {
    const sheet = createContactSheet({
      title: "a cat",
      rows: 1,
      columns: 2,
      rowLabels: [["pg", "omega 0.6"]],
      columnLabels: ["seed 0", "seed 1"],
      picture: { width: 200, height: 160 },
    });
    await sheet.place(0, 1, flat(200, 160, blue));
    await sheet.place(0, 0, flat(200, 160, red));
    const { width, height, count, at } = await pixelsOf(await sheet.render());
    expect([count(red), count(blue)]).toEqual([200 * 160, 200 * 160]);
    const row = Array.from({ length: width }, (_, x) => at(x, height - 100));
    expect(row.findIndex(([r, , b]) => r === 255 && b === 0)).toBeLessThan(
      row.findIndex(([r, , b]) => r === 0 && b === 255),
    );
  });

  test("has letters where there is text and none where there is not", async () => {
    const dark = async (plan: Partial<SheetPlan>) => {
      const sheet = createContactSheet({
        title: "",
        rows: 1,
        columns: 1,
        picture: { width: 128, height: 128 },
        ...plan,
      });
      await sheet.place(0, 0, flat(128, 128, red));
      const { width, height, at } = await pixelsOf(await sheet.render());
      let n = 0;
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (at(x, y).every((value) => value < 140)) n++;
      return n;
    };
    expect(await dark({})).toBe(0);
    for (const plan of [
      { title: "a cat" },
      { subtitle: "ddim" },
      { captions: ["cfg"] },
      { columnLabels: ["seed 0"] },
    ]) {
      expect(await dark(plan)).toBeGreaterThan(20);
    }
  });

  test("enlarges tiny pictures by whole factors and shrinks huge sheets", async () => {
    const tiny = createContactSheet({ title: "", rows: 1, columns: 1, picture: { width: 48, height: 16 } });
    await tiny.place(0, 0, flat(48, 16, red));
    expect((await pixelsOf(await tiny.render())).count(red)).toBe(9 * 48 * 16);

    const huge = createContactSheet({ title: "", rows: 100, columns: 50, picture: { width: 1024, height: 1024 } });
    await huge.place(99, 49, flat(1024, 1024, red));
    const { width, height, count } = await pixelsOf(await huge.render());
    expect(width * height).toBeLessThan(60e6);
    expect(count(red)).toBeGreaterThan(1000);
  });

  test("leaves cells without a picture visibly empty", async () => {
    const sheet = createContactSheet({ title: "", rows: 1, columns: 2, picture: { width: 128, height: 128 } });
    await sheet.place(0, 0, flat(128, 128, red));
    expect((await pixelsOf(await sheet.render())).count([0xef, 0xed, 0xe9])).toBe(128 * 128);
  });

  test("takes any prompt as its title", async () => {
    for (const title of ["<svg>&\"'", "\ud800 \0\u0007\ufffe", "猫 🐈", "x".repeat(5000), ""]) {
      const sheet = createContactSheet({
        title,
        rows: 1,
        columns: 1,
        captions: [title],
        picture: { width: 64, height: 64 },
      });
      expect((await sheet.render()).length).toBeGreaterThan(100);
    }
  });
});

describe("headings", () => {
  test("break between words, fit their width, and end with an ellipsis if cut", () => {
    const text = "a photo of a red cat in the snow, highly detailed, with mountains far behind it and a blue house";
    const lines = breakLines(text, 300, 16, 2);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/…$/);
    for (const line of lines) expect(measure([line], 16)).toBeLessThanOrEqual(300);
    expect(breakLines(text, 5000, 16, 2)).toEqual([text]);
    expect(breakLines(" ", 300, 16, 2)).toEqual([]);
  });
});
