/** Studio's pages in Chromium with a tiny InstructPix2Pix and its base: a dropped photograph, an instruction, omega. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Job } from "../src/server/jobs.ts";
import { fixture } from "./fixtures.ts";
import { photograph } from "./photograph.ts";
import { newFolder, openStudioPage, patience, type StudioPage, withoutChromium } from "./studio-page.ts";

/** The photograph and where screenshots go, when they are to be looked at. */
const { TILLER_PHOTO: shownPhoto, TILLER_SCREENSHOTS: screenshots } = process.env;

let folder: string;
let opened: StudioPage | undefined;
let studio: StudioPage["studio"];
let page: StudioPage["page"];
let problems: StudioPage["problems"];

describe.skipIf(withoutChromium)("an editing model in Studio", () => {
  beforeAll(async () => {
    folder = await newFolder();
    const model = join(folder, "edit");
    for (const part of ["vae", "text_encoder", "tokenizer"])
      await cp(join(fixture("pipelines/sd15"), part), join(model, part), { recursive: true });
    await cp(fixture("editing/model"), model, { recursive: true });
    await photograph(1, join(folder, "photo.jpg"));
    const models = [model, fixture("pipelines/sd15")];
    opened = await openStudioPage(folder, { height: 1000, models, threads: 2 });
    ({ studio, page, problems } = opened);
  });
  afterAll(() => opened?.close());
  const fill = (label: string, value: string | number) => page.getByLabel(label, { exact: true }).fill(String(value));
  const shot = (name: string) =>
    screenshots && page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  const jobs = async () => (await (await fetch(new URL("/api/jobs", studio.url))).json()) as Job[];

  /** Drops the photograph on the page. */
  async function drop() {
    const bytes = [...(await readFile(shownPhoto ?? join(folder, "photo.jpg")))];
    const dropped = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array([${bytes}])], "photo.jpg", { type: "image/jpeg" }));
      return transfer;
    })()`);
    await page.dispatchEvent(".drop", "drop", { dataTransfer: dropped });
    await page.getByAltText("to edit").waitFor();
  }

  /** Draws, and waits for the newest job to end. */
  async function drawn(button: string): Promise<Job & { request: { kind: "pictures" } }> {
    const before = (await jobs()).length;
    await page.getByRole("main").getByRole("button", { name: button, exact: true }).click();
    await expect
      .poll(async () => [(await jobs()).length, (await jobs())[0]!.state], { timeout: patience })
      .toEqual([before + 1, "done"]);
    await page.getByText("done", { exact: true }).waitFor();
    return (await jobs())[0] as Job & { request: { kind: "pictures" } };
  }

  test("Create asks for a photograph and an instruction, and without a base draws one edit", async () => {
    await fill("Instruction", "make it snow");
    await fill("Steps", 3);
    await page.getByText("More", { exact: true }).click();
    await fill("Width", 64);
    await fill("Height", 64);
    await page.getByRole("button", { name: "Draw", exact: true }).click();
    await page.getByRole("alert").getByText("drop the picture to edit first").waitFor();
    await drop();
    // There is nothing to paint, and all of the steps are drawn.
    expect(await page.getByLabel("paint what to repaint").count()).toBe(0);
    expect(await page.getByLabel(/^Denoising strength/).count()).toBe(0);
    await fill("Image scale", 2);
    const { request, pictures } = await drawn("Draw");
    expect(request.request).toMatchObject({ guidance: "cfg-edit", imageScale: 2, prompt: "make it snow" });
    expect(request.request).not.toHaveProperty("strength");
    expect(pictures).toHaveLength(1);
    await page.getByText("as base: start tiller studio with both").waitFor();
  });

  test("with its base, omega moves through edits from one seed", async () => {
    await page.getByLabel("Base", { exact: true }).selectOption("sd15");
    const dial = page.getByLabel("omega", { exact: true });
    await expect.poll(() => dial.isDisabled()).toBe(false);
    // The paper's omega for edits.
    await expect.poll(() => dial.getAttribute("aria-valuetext"), { timeout: patience }).toBe("omega 0.0");
    const { request, pictures } = await drawn("Draw");
    expect(request).toMatchObject({ base: "sd15", request: { guidance: "pg-edit", imageScale: 2 } });
    expect(pictures).toHaveLength(11);
    const shown = () => page.locator(".pair img").first().getAttribute("src");
    const at0 = await shown();
    await shot("edit-omega-0");
    await dial.fill("6");
    expect(await dial.getAttribute("aria-valuetext")).toBe("omega 0.6");
    const at6 = await shown();
    await shot("edit-omega-0.6");
    const files = [at0, at6].map(async (src) => (await fetch(new URL(src!, studio.url))).arrayBuffer());
    const [first, second] = await Promise.all(files);
    expect(Buffer.from(first!).equals(Buffer.from(second!))).toBe(false);
  });

  test("the gallery opens an edit in Create again, and Compare offers the methods for editing", async () => {
    await page.getByRole("navigation").getByRole("button", { name: "Gallery" }).click();
    await page.locator(".tiles button").first().click();
    await page.getByText("sd15", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Use again" }).click();
    await page.getByAltText("to edit").waitFor();
    expect(await page.getByLabel("Base", { exact: true }).inputValue()).toBe("sd15");
    await page.getByRole("navigation").getByRole("button", { name: "Compare" }).click();
    await fill("Instruction", "make it snow");
    await expect.poll(() => page.locator("fieldset label").allTextContents()).toEqual(["cfg-edit", "pg-edit"]);
    await page.getByLabel("Base", { exact: true }).selectOption("sd15");
    await drop();
    await fill("Seeds", 1);
    await fill("Steps", 2);
    await page.getByText("More", { exact: true }).click();
    await fill("Width", 64);
    await fill("Height", 64);
    const { pictures } = await drawn("Compare");
    expect(pictures).toHaveLength(3);
    await page.getByAltText("pg-edit 0.6, seed 0").waitFor();
    await shot("edit-compare");
    expect(problems).toEqual([]);
  });
});
