/** Studio with its page in Chromium, for tests. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Studio, startStudio } from "../src/server/index.ts";
import { skipped } from "./skipped.ts";

/** Where Chromium is. */
export const chromiumPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);

/** Whether there is no Chromium: the tests are then skipped with a message, and fail in CI. */
export const withoutChromium = skipped(
  chromiumPath,
  "Chromium is not installed; Studio's page and studies are not tested.",
);

/** Timeout in milliseconds, only against hangs: durations depend on the machine's load. */
export const patience = 300_000;

/** A folder of the test's own, for Studio's data among others. */
export const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "tiller-test-"));

export interface StudioPage {
  readonly studio: Studio;
  readonly browser: Browser;
  readonly page: Page;
  /** Errors of the page, and those that it wrote to its console. */
  readonly problems: string[];
  /** Closes both, and removes the folder. */
  close(): Promise<void>;
}

/** Opens the page of a Studio whose data is in `folder`; `height` is the window's, in pixels. */
export async function openStudioPage(
  folder: string,
  {
    height,
    models,
    threads,
  }: { readonly height: number; readonly models?: readonly string[]; readonly threads?: number },
): Promise<StudioPage> {
  const studio = await startStudio({ data: join(folder, "data"), port: 0, device: "cpu", models, threads });
  const browser = await chromium.launch({ executablePath: chromiumPath!, args: ["--no-sandbox"], timeout: patience });
  const problems: string[] = [];
  const page = await browser.newPage({ viewport: { width: 1280, height } });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.setDefaultTimeout(patience);
  await page.goto(studio.url);
  return {
    studio,
    browser,
    page,
    problems,
    async close() {
      await browser.close();
      await studio.close();
      await rm(folder, { recursive: true });
    },
  };
}
