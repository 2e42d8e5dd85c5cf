/** Tiller Studio's page in Chromium on the embedded model, from the first picture to a study. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawReferences, embeddedConcept } from "../src/experiments/concepts.ts";
import type { Job } from "../src/server/jobs.ts";
import { photograph } from "./photograph.ts";
import { newFolder, openStudioPage, patience, type StudioPage, withoutChromium } from "./studio-page.ts";

let folder: string;
let opened: StudioPage | undefined;
let studio: StudioPage["studio"];
let browser: StudioPage["browser"];
let page: StudioPage["page"];
let problems: StudioPage["problems"];

describe.skipIf(withoutChromium)("the page", () => {
  beforeAll(async () => {
    folder = await newFolder();
    await drawReferences(embeddedConcept("brown_dog"), join(folder, "dog"));
    opened = await openStudioPage(folder, { height: 900 });
    ({ studio, browser, page, problems } = opened);
  });
  afterAll(() => opened?.close());
  const open = (name: string) => page.getByRole("navigation").getByRole("button", { name }).click();
  const fill = (label: string, value: string | number) => page.getByLabel(label, { exact: true }).fill(String(value));
  const done = () => page.getByText("done", { exact: true }).waitFor();
  const pictures = () => page.locator(".strip .stop img").count();

  test("Create draws one picture without an adapter, and says what the dial needs", async () => {
    await fill("Prompt", "a dog in the snow");
    await fill("Steps", 3);
    // However often it is clicked, only one job starts.
    await page.getByRole("button", { name: "Draw" }).dblclick();
    await done();
    await page.getByText("The dial needs an adapter").waitFor();
    expect(await page.locator(".pair img").count()).toBe(1);
    expect(await page.getByLabel("omega", { exact: true }).isDisabled()).toBe(true);
    expect(((await (await fetch(new URL("/api/jobs", studio.url))).json()) as unknown[]).length).toBe(1);
  });

  test("Personalise learns a subject from pictures, and Create offers the adapter", async () => {
    await open("Personalise");
    const files = [0, 1, 2].map((i) => join(folder, "dog", `${i}.png`));
    let arrive = () => {};
    const held = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    await page.route("**/api/uploads", (route) => held.then(() => route.continue()));
    await page.locator("input[type=file]").setInputFiles(files);
    await page.getByText("3 pictures are being uploaded").waitFor();
    expect(await page.getByRole("button", { name: "Learn" }).isDisabled()).toBe(true);
    arrive();
    await page.getByText("3 pictures are uploaded").waitFor();
    await page.unroute("**/api/uploads");
    await fill("Name", "my-dog");
    await fill("Steps", 3);
    await page.getByRole("button", { name: "Learn" }).click();
    await page.getByText("Use the adapter").waitFor();
    await page.getByText("loss, 3 steps").waitFor();
    await page.getByRole("img", { name: "step 3", exact: true }).waitFor();
    await page.getByRole("button", { name: "Draw with it" }).click();
    expect(await page.getByLabel("Adapter").inputValue()).toBe("my-dog");
    expect(await page.getByLabel("Prompt", { exact: true }).inputValue()).toBe("a sks dog in the snow");
  });

  test("Create draws the dial's stops from one seed, the chosen one first, and the dial shows each", async () => {
    // Layout shifts that no input caused.
    await page.evaluate(`globalThis.moved = 0;
      new PerformanceObserver((list) => {
        for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) globalThis.moved += value;
      }).observe({ type: "layout-shift" });`);
    // The fewest pictures the page showed after the first.
    await page.evaluate(`globalThis.fewest = Infinity;
      new MutationObserver(() => {
        const shown = document.querySelectorAll(".strip .stop img").length;
        if (shown > 0) globalThis.fewest = Math.min(globalThis.fewest, shown);
      }).observe(document.body, { childList: true, subtree: true });`);
    await page.getByRole("button", { name: "Draw" }).click();
    await page.getByRole("img", { name: "omega 0.6", exact: true }).waitFor();
    await done();
    expect(await pictures()).toBe(11);
    expect(await page.evaluate("fewest")).toBeLessThan(11);
    expect(await page.evaluate("moved")).toBe(0);
    const src = () => page.locator(".pair img").first().getAttribute("src");
    const before = await src();
    await page.getByLabel("omega", { exact: true }).press("ArrowLeft");
    expect(await src()).not.toBe(before);
    await page.getByRole("img", { name: "omega 0.5", exact: true }).waitFor();
  });

  test("a job survives a reload and can be stopped", async () => {
    await fill("Steps", 200);
    await page.getByRole("button", { name: "Draw" }).click();
    await page.getByRole("progressbar").waitFor();
    await page.reload();
    await page.getByRole("progressbar").waitFor();
    expect(await page.getByLabel("Steps", { exact: true }).inputValue()).toBe("200");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
  });

  test("Compare draws methods by seeds and plots them", async () => {
    await open("Compare");
    await page.getByLabel("Adapter").selectOption("my-dog");
    await fill("Steps", 2);
    await fill("Seeds", 2);
    // The same pictures can be removed and added again.
    for (const time of [1, 2]) {
      const chooser = page.waitForEvent("filechooser");
      await page.locator("input[type=file]").click();
      await (await chooser).setFiles([0, 1].map((i) => join(folder, "dog", `${i}.png`)));
      await page.getByText("2 pictures to measure against").waitFor();
      if (time === 1) await page.getByRole("button", { name: "Remove" }).click();
    }
    await page.getByRole("button", { name: "Compare" }).last().click();
    await done();
    expect(await page.locator(".cells img").count()).toBe(6);
    await page.locator(".plane circle").nth(2).waitFor();
  });

  test("Study invites people to pages of their own, and shows the shares of their answers", async () => {
    await open("Study");
    await page.getByRole("button", { name: "Make a study" }).click();
    await page.getByRole("heading", { name: "2 sets of" }).waitFor();
    await fill("More participants", 2);
    await page.getByRole("button", { name: "Invite" }).click();
    const opened = browser.contexts()[0]!.waitForEvent("page");
    await page.getByRole("link", { name: "Participant 2" }).click();
    const own = await opened;
    own.setDefaultTimeout(patience);
    await own.getByRole("link", { name: "Begin" }).click();
    for (const set of [1, 2]) {
      await own.getByText(`${set} of 2`, { exact: true }).waitFor();
      expect(await own.content()).not.toMatch(/cfg|sks/);
      await own.locator("input[name=subject]").first().check();
      await own.locator("input[name=text]").last().check();
      await own.getByRole("button", { name: "Next" }).click();
    }
    await own.getByRole("button", { name: "Finish" }).click();
    await own.getByText("Thank you").waitFor();
    await own.close();
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByText("1 of 2 finished").waitFor();
    const text = page.getByRole("table", { name: "closest to the text" });
    expect(await text.getByRole("row", { name: "undecided" }).textContent()).toContain("100 %");
    const csv = await (
      await fetch(new URL(await page.getByText("CSV").evaluate((a: { href: string }) => a.href)))
    ).text();
    expect(csv.trim().split("\r\n")).toHaveLength(5);
    expect(csv).toContain('"undecided"');
  });

  test("Gallery shows every picture; pictures can be used again and deleted", async () => {
    await open("Gallery");
    await page.locator(".tiles button").first().waitFor();
    const count = await page.locator(".tiles button").count();
    await page.locator(".tiles button").first().click();
    await page.getByRole("button", { name: "Close" }).click();
    // The focus stays, or moves to what replaced the deleted picture.
    const focus = (tile: string) =>
      expect
        .poll(() => page.locator(`.tiles button:${tile}`).evaluate((e) => e === e.ownerDocument.activeElement))
        .toBe(true);
    await focus("first-child");
    await page.locator(".tiles button").last().click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete forever" }).click();
    await expect.poll(() => page.locator(".tiles button").count()).toBe(count - 1);
    await focus("last-child");
    await page.locator(".tiles button").nth(-2).click();
    await page.getByRole("button", { name: "Use again" }).click();
    expect(await page.getByLabel("Prompt", { exact: true }).inputValue()).toBe("a sks dog");
    await open("Gallery");
    await page.locator(".tiles button").first().click();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  });

  test("missing things are reported, and the user can go on", async () => {
    await page.evaluate(`localStorage.setItem("tiller.study", '{"id":"gone"}');
      localStorage.setItem("tiller.create", '{"adapter":"gone"}')`);
    await page.reload();
    await open("Study");
    await page.getByRole("alert").getByText("There is no such study").waitFor();
    await page.getByRole("button", { name: "All studies" }).click();
    await page.getByRole("button", { name: /^Open/ }).first().waitFor();
    await open("Create");
    const chosen = page.getByLabel("Adapter").locator("option:checked");
    await expect.poll(() => chosen.textContent()).toBe("gone (no longer here)");
    await page.getByLabel("Adapter").selectOption("none");
    // The failed request is in the console, as expected.
    expect(problems.splice(0)).toEqual([expect.stringContaining("404")]);
  });

  test("a picture is drawn in an available precision, and the recipe shows it", async () => {
    await open("Create");
    await page.getByText("More", { exact: true }).click();
    await page.getByLabel("Precision").selectOption("int8");
    await fill("Prompt", "a dog in eight bits");
    await fill("Steps", 2);
    await page.getByRole("button", { name: "Draw" }).click();
    await done();
    await open("Gallery");
    await page.locator(".tiles button").first().click();
    await page.getByText("in int8 on cpu", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Use again" }).click();
    await page.getByText("More", { exact: true }).click();
    expect(await page.getByLabel("Precision").inputValue()).toBe("int8");
    await page.getByLabel("Precision").selectOption("");
  });

  test("a stopped training run resumes with its curve and samples, even after a reload", async () => {
    await open("Personalise");
    await fill("Name", "stopped");
    // Long enough to be stopped before the end.
    await fill("Steps", 5);
    await page.getByRole("button", { name: "Learn" }).click();
    // The run before had a first step, too.
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("img", { name: "step 1", exact: true }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Resume learning" }).click();
    await page.getByText("Use the adapter").waitFor();
    await page.getByText("loss, 5 steps").waitFor();
    // A step interrupted by the stop has no sample; earlier samples stay, and none appears twice.
    const samples = (step: number) => page.getByRole("img", { name: `step ${step}`, exact: true }).count();
    expect(await samples(1)).toBe(1);
    expect(await samples(2)).toBeLessThanOrEqual(1);
    await expect.poll(() => samples(5)).toBe(1);
    await fill("Name", "my-dog");
  });

  test("dinghy is trained on photographs only after a warning", async () => {
    await open("Personalise");
    for (const i of [0, 1, 2]) await photograph(i, join(folder, `${i}.jpg`));
    await page.locator("input[type=file]").setInputFiles([0, 1, 2].map((i) => join(folder, `${i}.jpg`)));
    await page.getByText("3 pictures are uploaded").waitFor();
    await fill("Name", "photographs");
    await fill("Steps", 500);
    await page.getByRole("button", { name: "Learn", exact: true }).click();
    await page.getByRole("alert").getByText("stable-diffusion-v1-5/stable-diffusion-v1-5").waitFor();
    await page.getByRole("button", { name: "anyway" }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("cancelled", { exact: true }).waitFor();
    // The refused request is in the console, as expected.
    expect(problems.splice(0)).toEqual([expect.stringContaining("400")]);
    await page.locator("input[type=file]").setInputFiles([0, 1, 2].map((i) => join(folder, "dog", `${i}.png`)));
    await page.getByText("3 pictures are uploaded").waitFor();
    await fill("Name", "my-dog");
  });

  test("an existing adapter is replaced only after a second click", async () => {
    await open("Personalise");
    expect(await page.getByAltText(/^your subject/).count()).toBe(3);
    await page.getByRole("button", { name: "Learn" }).click();
    await page.getByRole("alert").getByText("there is already an adapter my-dog").waitFor();
  });

  test("a page of another origin (another port) can neither read nor send, but may link", async () => {
    const jobs = async () => ((await (await fetch(new URL("/api/jobs", studio.url))).json()) as Job[]).length;
    const before = await jobs();
    const { pictures } = (await (await fetch(new URL("/api/pictures", studio.url))).json()) as {
      pictures: { id: string }[];
    };
    const foreign = createServer((_, answer) =>
      answer.setHeader("content-type", "text/html").end(`<a href="${studio.url}">Studio</a>`),
    );
    await new Promise<void>((ready) => foreign.listen(0, "127.0.0.1", ready));
    const other = await browser.newPage();
    other.setDefaultTimeout(patience);
    try {
      await other.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}`);
      const job = JSON.stringify({ request: { prompt: "a dog", steps: 1 } });
      const tried = (init: object) =>
        other.evaluate(
          ([url, options]) =>
            fetch(url, options).then(
              ({ type, status }) => `${type} ${status}`,
              () => "refused",
            ),
          [`${studio.url}api/jobs`, { method: "POST", body: job, ...init }] as const,
        );
      for (const type of ["text/plain", "application/json"]) {
        expect(await tried({ headers: { "content-type": type } })).toBe("refused");
      }
      // It is sent, but gives neither a readable answer nor a job.
      expect(await tried({ mode: "no-cors", headers: { "content-type": "text/plain" } })).toMatch(/refused|opaque/);
      expect(await tried({ mode: "no-cors", credentials: "include" })).toMatch(/refused|opaque/);
      const shown = await other.evaluate(
        `new Promise((done) => {
          const image = new Image();
          image.onload = () => done("shown");
          image.onerror = () => done("refused");
          image.src = "${studio.url}pictures/${pictures[0]!.id}.png";
        })`,
      );
      expect(shown).toBe("refused");
      expect(await jobs()).toBe(before);
      await other.getByRole("link").click();
      await other.getByRole("navigation").getByRole("button", { name: "Create" }).waitFor();
    } finally {
      await other.close();
      foreign.close();
    }
  });

  test("fits a narrow screen, and there were no errors in the console", async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    for (const name of ["Create", "Personalise", "Compare", "Gallery", "Study"]) {
      await open(name);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, name).toBeLessThanOrEqual(0);
    }
    expect(problems).toEqual([]);
  });
});
