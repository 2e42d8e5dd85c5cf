/** Drawing that starts from a picture, with and without a mask, in the library. */
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodePng, type PictureEvent, type PictureRequest, Pipeline, readRecipe } from "../src/index.ts";
import { bytes, lora, model, pictures } from "./drawing.ts";
import { refusal } from "./refusal.ts";

let pipeline: Pipeline;
let folder: string;
const at = (name: string) => join(folder, name);
const request: PictureRequest = { prompt: "a red cat in the snow", steps: 5, seed: 3, guidance: "pg", omega: 0.6 };
/** A picture of two colours, 3:2, and masks of it. */
const [width, height] = [96, 64];
const half = (left: string, right: string) =>
  sharp(
    Buffer.from(
      `<svg width="${width}" height="${height}"><rect width="100%" height="100%" fill="${right}"/><rect width="50%" height="100%" fill="${left}"/></svg>`,
    ),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await half("orange", "navy").removeAlpha().png().toFile(at("photo.png"));
  await half("white", "black").png().toFile(at("mask.png"));
  await half("black", "black").png().toFile(at("black.png"));
  await half("white", "white").png().toFile(at("white.png"));
  pipeline = await Pipeline.load(model, { adapters: [lora], device: "cpu" });
});
afterAll(async () => {
  await pipeline.close();
  await rm(folder, { recursive: true });
});

const draw = (given: Partial<PictureRequest>, batch?: number): Promise<PictureEvent[]> =>
  pictures(pipeline, { ...request, ...given }, batch);
const refused = (given: Partial<PictureRequest>) => expect(draw(given)).rejects;

async function warnings(given: Partial<PictureRequest>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of pipeline.generate({ ...request, ...given })) {
    if (event.type === "warning") found.push(event.message);
  }
  return found;
}

describe("a picture to start from", () => {
  test("decides the shape, in about as many pixels as the model's own size; given sides are kept", async () => {
    const image = at("photo.png");
    const sizes = async (given: Partial<PictureRequest>) => {
      const [found] = await draw({ image, strength: 0.2, ...given });
      return [found!.width, found!.height];
    };
    // The model's own size is 64 x 64.
    expect(await sizes({})).toEqual([80, 56]);
    expect(await sizes({ width: 48 })).toEqual([48, 32]);
    expect(await sizes({ width: 64, height: 64 })).toEqual([64, 64]);
    await refused({ image, width: 44 }).toThrow(refusal("setting-invalid", "width"));
  });

  test("in a batch of four gives the pictures of four single runs, with and without a mask, whatever the sampler", async () => {
    for (const sampler of ["ddim", "euler-a"] as const) {
      for (const mask of [undefined, at("mask.png")]) {
        const given = { image: at("photo.png"), mask, strength: 0.6, sampler };
        const four = await draw({ ...given, count: 4 }, 4);
        const singles = [];
        for (const seed of [3, 4, 5, 6]) singles.push(...(await draw({ ...given, seed })));
        expect(bytes(four)).toEqual(bytes(singles));
      }
    }
  });

  test("is upright by its EXIF orientation and on white where it is transparent", async () => {
    const upright = await draw({ image: at("photo.png") });
    await sharp(at("photo.png")).rotate(90).withMetadata({ orientation: 8 }).png().toFile(at("turned.png"));
    expect(bytes(await draw({ image: at("turned.png") }))).toEqual(bytes(upright));
    await half("orange", "transparent").png().toFile(at("alpha.png"));
    await half("orange", "white").png().toFile(at("on-white.png"));
    expect(bytes(await draw({ image: at("alpha.png") }))).toEqual(bytes(await draw({ image: at("on-white.png") })));
  });

  test("may be pixels in memory, and gives the same picture as its file", async () => {
    const { data, info } = await sharp(at("photo.png")).raw().toBuffer({ resolveWithObject: true });
    const image = { width: info.width, height: info.height, data: new Uint8Array(data) };
    const [found] = await draw({ image });
    expect(bytes([found!])).toEqual(bytes(await draw({ image: at("photo.png") })));
    expect(found!.recipe.request.image).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await refused({ image: { ...image, width: 95 } }).toThrow(refusal("setting-invalid", "image"));
  });

  test("costs the share of the steps that the strength says, and says so", async () => {
    const steps: [number, number][] = [];
    for await (const event of pipeline.generate({ ...request, image: at("photo.png"), strength: 0.61 })) {
      if (event.type === "step") steps.push([event.step, event.steps]);
    }
    expect(steps).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });

  test("is encoded once for several requests, and the encoder's network is released", async () => {
    const given = { image: at("photo.png"), strength: 0.2, width: 56, height: 56 };
    const before = pipeline.sessionsBuilt;
    await draw(given);
    await draw({ ...given, omega: 0.1, strength: 0.4 });
    expect(pipeline.sessionsBuilt).toBe(before + 1);
  });

  test.each([
    [{ strength: 0 }, "setting-invalid"],
    [{ strength: 1.2 }, "setting-invalid"],
    [{ strength: 0.1 }, "steps-invalid"],
    [{ image: undefined, strength: 0.5 }, "image-missing"],
    [{ image: undefined, mask: "mask.png" }, "image-missing"],
    [{ image: "missing.png" }, "file-missing"],
    [{ image: "text.png" }, "picture-unreadable"],
    [{ mask: "text.png" }, "picture-unreadable"],
    [{ mask: "small.png" }, "mask-size"],
  ] as const)("refuses %o", async (wrong, code) => {
    await writeFile(at("text.png"), "no picture");
    await half("white", "black").resize(48, 32).png().toFile(at("small.png"));
    const named = Object.entries(wrong).map(([key, value]) => [key, typeof value === "string" ? at(value) : value]);
    await refused({ image: at("photo.png"), ...Object.fromEntries(named) }).toThrow(refusal(code));
  });
});

describe("a mask", () => {
  test("repaints white and keeps black: there the picture is as if all were black", async () => {
    // The tiny model's random decoder spreads every change over the whole picture.
    const dinghy = await Pipeline.load("dinghy", { device: "cpu" });
    const drawn = async (mask: string) => {
      const given = { image: at("photo.png"), mask: at(mask), width: 96, height: 64, steps: 4 };
      const [found] = await pictures(dinghy, { prompt: "a cat", ...given });
      return found!.data;
    };
    const [part, nothing] = [await drawn("mask.png"), await drawn("black.png")];
    await dinghy.close();
    const changed = (from: number, to: number) => {
      let sum = 0;
      for (let y = 0; y < height; y++) {
        for (let i = 3 * (y * width + from); i < 3 * (y * width + to); i++) sum += Math.abs(part[i]! - nothing[i]!);
      }
      return sum;
    };
    // The decoder's norms see the whole picture: measured, 5 times as much changed where it was white.
    expect(changed(0, 32)).toBeGreaterThan(3 * changed(64, 96));
  });

  test("all black or all white, or too fine to repaint anything, is mentioned, not refused", async () => {
    const image = at("photo.png");
    await half("black", "black")
      .composite([
        {
          input: await sharp({ create: { width: 1, height: 1, channels: 3, background: "white" } })
            .png()
            .toBuffer(),
          left: 5,
          top: 5,
        },
      ])
      .png()
      .toFile(at("dot.png"));
    const about = async (mask: string) => (await warnings({ image, mask: at(mask), width: 96, height: 64 })).join();
    expect(await about("black.png")).toContain("all black");
    expect(await about("white.png")).toContain("all white");
    expect(await about("dot.png")).toContain("too small");
    expect(await about("mask.png")).toBe("");
  });
});

describe("a recipe from a picture", () => {
  test("records the picture's and the mask's hash, and makes the same picture again from them", async () => {
    const [found] = await draw({ image: at("photo.png"), mask: at("mask.png"), strength: 0.6 });
    await writeFile(at("made.png"), await encodePng(found!, found!.recipe));
    const recipe = await readRecipe(at("made.png"));
    expect(recipe.request).toMatchObject({
      image: { file: at("photo.png"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      mask: { file: at("mask.png") },
      strength: 0.6,
    });
    expect(bytes(await draw(recipe.request))).toEqual(bytes([found!]));
  });

  test("says when the picture is needed again, and does not take another for it", async () => {
    await copyFile(at("photo.png"), at("moved.png"));
    const [found] = await draw({ image: at("moved.png") });
    const again = found!.recipe.request;
    await copyFile(at("on-white.png"), at("moved.png"));
    await refused(again).toThrow(refusal("picture-changed", at("moved.png"), "--image"));
    await rm(at("moved.png"));
    await refused(again).toThrow(refusal("picture-needed", at("moved.png"), "--image"));
    expect(bytes(await draw({ ...again, image: at("photo.png") }))).toEqual(bytes([found!]));
  });

  test("without a picture has no trace of one", async () => {
    const [found] = await draw({});
    expect(Object.keys(found!.recipe.request).filter((key) => /image|mask|strength/.test(key))).toEqual([]);
  });
});
