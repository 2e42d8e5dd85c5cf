/** Studio's Create page in Chromium, starting from a picture: dropped, with a painted mask and with one from a file. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../src/server/jobs.ts";
import { photograph } from "./photograph.ts";
import { newFolder, openStudioPage, patience, type StudioPage, withoutChromium } from "./studio-page.ts";

/** The photograph and where screenshots go, when they are to be looked at. */
const { TILLER_PHOTO: shownPhoto, TILLER_SCREENSHOTS: screenshots } = process.env;

let folder: string;
let opened: StudioPage | undefined;
let studio: StudioPage["studio"];
let page: StudioPage["page"];
let problems: StudioPage["problems"];

describe.skipIf(withoutChromium)("Create, from a picture", () => {
  beforeAll(async () => {
    folder = await newFolder();
    await photograph(1, join(folder, "small.jpg"));
    // Wider than high, so that its shape shows.
    await sharp(shownPhoto ?? join(folder, "small.jpg"))
      .resize(300, 200, { fit: "cover" })
      .jpeg()
      .toFile(join(folder, "photo.jpg"));
    opened = await openStudioPage(folder, { height: 1000 });
    ({ studio, page, problems } = opened);
  });
  afterAll(() => opened?.close());
  const fill = (label: string, value: string | number) => page.getByLabel(label, { exact: true }).fill(String(value));
  const shot = (name: string) =>
    screenshots && page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

  /** Draws, and waits for the newest job to end. */
  async function draw(): Promise<Job> {
    const jobs = async () => (await (await fetch(new URL("/api/jobs", studio.url))).json()) as Job[];
    const before = (await jobs()).length;
    await page.getByRole("button", { name: "Draw" }).click();
    await expect
      .poll(async () => [(await jobs()).length, (await jobs())[0]!.state], { timeout: patience })
      .toEqual([before + 1, "done"]);
    await page.getByText("done", { exact: true }).waitFor();
    return (await jobs())[0]!;
  }
  const requestOf = ({ request }: Job) => (request.kind === "pictures" ? request.request : undefined);
  const stored = async (id: string) => sharp(await readFile(join(folder, "data", "uploads", id, "00.png")));

  test("a dropped photograph decides the shape, and the slider how much is changed", async () => {
    await fill("Prompt", "a dog in the snow");
    await fill("Steps", 6);
    await page.getByText("From a picture").click();
    const bytes = [...(await readFile(join(folder, "photo.jpg")))];
    const dropped = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array([${bytes}])], "photo.jpg", { type: "image/jpeg" }));
      return transfer;
    })()`);
    await page.dispatchEvent(".drop", "drop", { dataTransfer: dropped });
    await page.getByAltText("to start from").waitFor();
    await page.getByLabel(/^Denoising strength/).fill("0.5");
    const job = await draw();
    expect(requestOf(job)).toMatchObject({ image: expect.stringMatching(/\w/), strength: 0.5 });
    expect(job.progress).toMatchObject({ done: 3, total: 3 });
    const size = await page
      .locator(".pair img")
      .evaluate((shown: { naturalWidth: number; naturalHeight: number }) => [shown.naturalWidth, shown.naturalHeight]);
    // About as many pixels as dinghy's 128 x 128, in 3:2.
    expect(size).toEqual([160, 104]);
    await shot("dropped");
  });

  test("what is painted white on it is the mask, as large as the picture", async () => {
    const canvas = page.getByLabel("paint what to repaint");
    const { x, y, width, height } = (await canvas.boundingBox())!;
    await page.mouse.move(x + width * 0.1, y + height * 0.15);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.9, y + height * 0.15, { steps: 8 });
    await page.mouse.up();
    await page.getByLabel(/^Denoising strength/).fill("1");
    const job = await draw();
    const { mask } = requestOf(job)!;
    const { data, info } = await (await stored(mask!)).greyscale().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([300, 200]);
    const at = (px: number, py: number) => data[Math.round(py * 200) * 300 + Math.round(px * 300)];
    expect([at(0.5, 0.15), at(0.5, 0.8)]).toEqual([255, 0]);
    await shot("painted");
  });

  test("the picture and the mask survive a reload and are used again", async () => {
    await page.reload();
    await page.getByAltText("to start from").waitFor();
    // The mask that was uploaded is shown again.
    const white = () =>
      page.getByLabel("paint what to repaint").evaluate((on) => {
        const { width, height } = on as unknown as { width: number; height: number };
        const to = (
          on as unknown as { getContext(kind: string): { getImageData(...box: number[]): { data: number[] } } }
        ).getContext("2d");
        return to.getImageData(width / 2, height * 0.15, 1, 1).data[3];
      });
    await expect.poll(white, { timeout: patience }).toBe(255);
    await page.getByRole("navigation").getByRole("button", { name: "Gallery" }).click();
    await page.locator(".tiles button").first().click();
    await page.getByText("a picture with a mask, denoising strength 1").waitFor();
    await page.getByRole("button", { name: "Use again" }).click();
    await page.getByAltText("to start from").waitFor();
    expect(await page.getByLabel(/^Denoising strength/).inputValue()).toBe("1");
  });

  test("a mask from a file is taken if it is as large as the picture", async () => {
    const chosen = page.locator("label", { hasText: "Choose a mask" }).locator("input");
    const mask = (size: { width: number; height: number }) =>
      sharp({ create: { ...size, channels: 3, background: "white" } })
        .png()
        .toBuffer();
    await chosen.setInputFiles({
      name: "small.png",
      mimeType: "image/png",
      buffer: await mask({ width: 30, height: 20 }),
    });
    await page.getByRole("alert").getByText("the mask is 30x20").waitFor();
    await chosen.setInputFiles({
      name: "mask.png",
      mimeType: "image/png",
      buffer: await mask({ width: 300, height: 200 }),
    });
    await expect.poll(() => page.getByRole("alert").count()).toBe(0);
    await page.getByRole("button", { name: "Clear the mask" }).click();
    await page.getByRole("button", { name: "Without a picture" }).click();
    await fill("Steps", 2);
    expect(requestOf(await draw())).not.toHaveProperty("image");
    expect(problems).toEqual([]);
  });
});
