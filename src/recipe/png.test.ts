import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { writeNew } from "../bytes/node/write-new.ts";
import { writeWhole } from "../bytes/write-whole.ts";
import { type ErrorCode, TillerError } from "../errors/index.ts";
import { encodePng } from "./png.ts";
import { readTexts, withTexts } from "./png-text.ts";
import { readPicture, readRecipe } from "./read-recipe.ts";
import type { Recipe } from "./recipe.ts";
import { recordedRequestSchema } from "./request.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-png-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => i * 14) };
const recipe = (prompt: string, extra: Partial<Recipe> = {}): Recipe => ({
  tiller: "1.2.3",
  model: "/models/sd15",
  adapters: [{ file: "/loras/cat.safetensors", name: "cat", strength: 0.8 }],
  request: recordedRequestSchema.parse({ sampler: "ddim", steps: 50, prompt, guidance: "pg", seed: 7 }),
  ...extra,
});
async function fileOf(bytes: Uint8Array): Promise<string> {
  const file = join(folder, "picture.png");
  await writeFile(file, bytes);
  return file;
}

describe("a picture with a recipe", () => {
  test("keeps its pixels exactly", async () => {
    const png = await encodePng(picture, recipe("a cat"));
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([3, 2, 3]);
    expect(new Uint8Array(data)).toEqual(picture.data);
  });

  test("is the same file, byte for byte, when it is made again", async () => {
    const { request, ...rest } = recipe("a cat");
    const reversed = Object.fromEntries(Object.entries(request).reverse()) as Recipe["request"];
    expect(await encodePng(picture, { request: reversed, ...rest })).toEqual(
      await encodePng(picture, { ...rest, request }),
    );
  });

  test("gives back any recipe, with a prompt in any script", async () => {
    const png = await encodePng(picture);
    const text = fc.string({ unit: "binary", maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(text, text, async (prompt, negative) => {
        const stored = recipe(prompt, {
          request: recordedRequestSchema.parse({ sampler: "ddim", steps: 50, prompt, negative, omega: 0.25 }),
        });
        const file = await fileOf(withTexts(png, { tiller: JSON.stringify(stored) }));
        expect(await readRecipe(file)).toEqual(stored);
      }),
      { numRuns: 200 },
    );
  });

  test("gives back any text of any length in either kind of chunk", async () => {
    const png = await encodePng(picture);
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 300 }), async (some, times) => {
        const written = some.repeat(times);
        const { texts, width, height } = await readTexts(await fileOf(withTexts(png, { key: written })), ["key"]);
        expect([texts.get("key"), width, height]).toEqual([written.replaceAll("\0", " "), 3, 2]);
      }),
      { numRuns: 200 },
    );
  });

  test("is read by another program's reader of PNG texts", async () => {
    const png = await encodePng(picture, recipe("ein Bär & 猫"));
    const { comments } = await sharp(png).metadata();
    const parameters = comments?.find(({ keyword }) => keyword.includes("parameters"))?.text;
    expect(parameters).toMatch(/^ein Bär & 猫\nSteps: 50, /);
  });

  test("has the parameters in the format of community tools", async () => {
    const request = recordedRequestSchema.parse({
      prompt: "a cat\nin a hat",
      negative: "ugly, blurry",
      guidance: "pg",
      sampler: "dpm++",
      karras: true,
      steps: 20,
      seed: 42,
    });
    const stored = recipe("", {
      request,
      adapters: [...recipe("").adapters, { file: "b", name: "style", strength: -1 }],
    });
    const { parameters } = await readPicture(await fileOf(await encodePng(picture, stored)));
    expect(parameters).toBe(
      "a cat\nin a hat\nNegative prompt: ugly, blurry\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 42, " +
        'Size: 3x2, Model: sd15, Guidance: pg, Omega: 0.6, Adapters: "cat:0.8, style:-1", Version: Tiller 1.2.3',
    );
  });
});

describe("reading a recipe", () => {
  const refused = async (bytes: Uint8Array, code: ErrorCode, ...facts: string[]) => {
    const file = await fileOf(bytes);
    await expect(readRecipe(file)).rejects.toThrow(refusal(code, file, ...facts));
  };
  const chunk = (type: string, data: Uint8Array, length = data.length): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(length);
    head.write(type, 4, "latin1");
    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(crc32(Buffer.concat([head.subarray(4), data])));
    return Buffer.concat([head, data, tail]);
  };
  const withChunk = async (...chunks: Uint8Array[]) => {
    const png = await encodePng(picture);
    return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
  };

  test("reports a missing recipe", async () => {
    await refused(await encodePng(picture), "recipe-missing");
    await refused(withTexts(await encodePng(picture), { parameters: "a cat\nSteps: 3" }), "recipe-missing");
  });

  test("refuses a file that is not a PNG", async () => {
    await refused(new Uint8Array(0), "picture-unreadable");
    await refused(Buffer.from("GIF89a and more of it"), "picture-unreadable");
    await expect(readRecipe(folder)).rejects.toThrow(refusal("file-unreadable", folder));
    await expect(readRecipe(join(folder, "none.png"))).rejects.toThrow(
      refusal("file-missing", join(folder, "none.png")),
    );
  });

  test("refuses a picture cut off anywhere", async () => {
    const png = await encodePng(picture, recipe("a cat"));
    for (let length = 8; length < png.length - 12; length += 7)
      await refused(png.subarray(0, length), "picture-unreadable");
  });

  test("refuses a changed recipe by its checksum", async () => {
    const png = Buffer.from(await encodePng(picture, recipe("a cat")));
    png[png.indexOf('"tiller"') + 3] = 0x58;
    await refused(png, "picture-unreadable", "checksum");
  });

  test("refuses chunks longer than the file, and gibberish between chunks", async () => {
    await refused(await withChunk(chunk("tEXt", Buffer.from("tiller\0{}"), 0xffffffff)), "picture-unreadable", "tEXt");
    await refused(await withChunk(Buffer.alloc(64)), "picture-unreadable", "33");
  });

  test("stops inflating beyond a recipe's largest size", async () => {
    const bomb = deflateSync(Buffer.alloc(200 << 20));
    expect(bomb.length).toBeLessThan(300_000);
    await refused(
      await withChunk(chunk("zTXt", Buffer.concat([Buffer.from("tiller\0\0"), bomb]))),
      "picture-unreadable",
    );
    await refused(
      await withChunk(chunk("iTXt", Buffer.concat([Buffer.from("tiller\0\x01\0\0\0"), bomb]))),
      "picture-unreadable",
    );
  });

  test("refuses a text too long for a recipe without reading it", async () => {
    const long = Buffer.concat([Buffer.from("tiller\0"), Buffer.alloc(5 << 20, "x")]);
    await refused(await withChunk(chunk("tEXt", long)), "picture-unreadable", "4194304");
  });

  test("reads compressed texts, which other programs write when saving a picture", async () => {
    const json = deflateSync(Buffer.from(JSON.stringify(recipe("eine Katze"))));
    for (const data of [
      chunk("zTXt", Buffer.concat([Buffer.from("tiller\0\0"), json])),
      chunk("iTXt", Buffer.concat([Buffer.from("tiller\0\x01\0de\0\0"), json])),
    ]) {
      expect((await readRecipe(await fileOf(await withChunk(data)))).request.prompt).toBe("eine Katze");
    }
  });

  test("refuses an invalid recipe, saying where it is wrong", async () => {
    const png = await encodePng(picture);
    await refused(withTexts(png, { tiller: "{" }), "recipe-invalid");
    await refused(withTexts(png, { tiller: "[".repeat(1 << 20) }), "recipe-invalid");
    await refused(withTexts(png, { tiller: "7" }), "recipe-invalid");
    const odd = { ...recipe("a"), request: { ...recipe("a").request, steps: 1e9 } };
    await refused(withTexts(png, { tiller: JSON.stringify(odd) }), "recipe-invalid", "request.steps");
  });

  test("survives 2,000 damaged pictures without a crash or a hang", async () => {
    const png = Buffer.from(await encodePng(picture, recipe("a cat", { base: "b" })));
    const place = fc.tuple(fc.integer({ min: 0, max: png.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(place, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = Buffer.from(png);
        for (const [at, value] of changes) bytes[at] = value;
        await readRecipe(await fileOf(bytes)).catch((error) => expect(error).toBeInstanceOf(TillerError));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("writing", () => {
  test("a taken name gets a number, even with many concurrent writers", async () => {
    const place = await mkdtemp(join(folder, "new-"));
    const written = await Promise.all(
      Array.from({ length: 8 }, (_, i) => writeNew(place, "a", "png", Uint8Array.of(i))),
    );
    expect(new Set(written).size).toBe(8);
    expect((await readdir(place)).sort()).toEqual(
      ["a.png", ...Array.from({ length: 7 }, (_, i) => `a-${i + 2}.png`)].sort(),
    );
    const contents = await Promise.all(written.map(async (file) => (await readFile(file))[0]));
    expect(contents).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("writeWhole replaces a file", async () => {
    const file = join(folder, "sheet.png");
    await writeWhole(file, Uint8Array.of(1));
    await writeWhole(file, Uint8Array.of(2));
    expect([...(await readFile(file))]).toEqual([2]);
  });

  test("a missing folder is named", async () => {
    await expect(writeWhole(join(folder, "none", "a.png"), Uint8Array.of(1))).rejects.toThrow(
      refusal("file-not-written", join(folder, "none", "a.png")),
    );
  });
});
