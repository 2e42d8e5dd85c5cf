/** A study from an experiment's pictures to its shares: two people answer it in Chromium, and the results equal a count by hand. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StudyServer, startStudy } from "../src/server/index.ts";
import { tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";
import { chromiumPath, patience, withoutChromium } from "./studio-page.ts";

let folder: string;
let study: string;
let server: StudyServer;
let browser: Browser;
/** The addresses' codes, in the order of the participants. */
let codes: string[];
const problems: string[] = [];

const question = { subject: /most like/, text: /fits the text/ } as const;
type Question = keyof typeof question;

/** Two settings as in the paper's study, on small random models: four sets of two subjects each. */
const settings = [
  {
    name: "first",
    model: fixture("pipelines/sd15"),
    lora: fixture("adapters/lora-peft.safetensors"),
    rows: ["cfg", "cfg+ag", "pg"],
  },
  {
    name: "second",
    model: fixture("sana-pipeline/model"),
    lora: fixture("sana-pipeline/lora.safetensors"),
    rows: ["cfg", "pg"],
  },
] as const;

async function makeStudy(): Promise<void> {
  for (const { name, model, lora, rows } of settings) {
    const experiment = {
      name,
      model,
      personalisation: [{ adapters: [lora] }],
      guidance: rows.map((method) => ({ method, ...(method === "pg" && { omega: 0 }) })),
      concepts: ["brown_dog", "duck_toy"],
      prompts: 2,
      pictures: 1,
      steps: 1,
    };
    await writeFile(join(folder, `${name}.json`), JSON.stringify(experiment));
    const ran = await tiller(["bench", "run", join(folder, `${name}.json`), "--out", join(folder, name), "--json"]);
    expect(ran.json().error).toBeUndefined();
  }
  const methodsOf = (rows: readonly string[]) =>
    Object.fromEntries(rows.map((row) => [row.toUpperCase(), row === "pg" ? "pg 0" : row]));
  const file = {
    title: "Which picture?",
    sets: 4,
    settings: settings.map(({ name, rows }) => ({ name, results: join(folder, name), methods: methodsOf(rows) })),
  };
  await writeFile(join(folder, "study.json"), JSON.stringify(file));
  const made = await tiller([
    "study",
    "make",
    join(folder, "study.json"),
    "--out",
    study,
    "--participants",
    "2",
    "--json",
  ]);
  expect(made.json()).toMatchObject({ sets: 8 });
  codes = made.json().participants;
}

describe.skipIf(withoutChromium)("a study", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-study-"));
    study = join(folder, "study");
    await makeStudy();
    server = await startStudy({ folder: study, port: 0 });
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ["--no-sandbox"], timeout: patience });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder, { recursive: true });
  });

  async function openAs(participant: number): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.goto(`${server.url}${codes[participant]}/`);
    return page;
  }

  const group = (page: Page, of: Question) => page.getByRole("group", { name: question[of] });
  /** Chooses a letter, or "undecided", and waits until it is kept. */
  async function choose(page: Page, of: Question, label: string): Promise<void> {
    const kept = page.waitForResponse((response) => response.url().endsWith("?keep"));
    await group(page, of).getByLabel(label, { exact: true }).check();
    expect((await kept).status()).toBe(204);
  }

  /** What a set's letters stand for, found by the bytes that were served; and the set's number. */
  async function revealed(code: string, position: number): Promise<{ set: number; methods: Map<string, string> }> {
    const { sets, settings } = JSON.parse(await readFile(join(study, "study.json"), "utf8"));
    const files = new Map<string, { set: number; method: string }>();
    for (const [set, { setting, pictures }] of sets.entries())
      for (const [i, name] of pictures.entries()) {
        const bytes = await readFile(join(study, "pictures", name), "base64");
        files.set(bytes, { set, method: settings[setting].methods[i] });
      }
    const methods = new Map<string, string>();
    let set = -1;
    for (const letter of ["A", "B", "C"]) {
      const answer = await fetch(`${server.url}${code}/${position}/${letter.toLowerCase()}.png`);
      if (!answer.ok) continue;
      const found = files.get(Buffer.from(await answer.arrayBuffer()).toString("base64"))!;
      methods.set(letter, found.method);
      set = found.set;
    }
    return { set, methods };
  }

  /** Every answer by participant, set and question, as the test gave it. */
  const given = new Map<string, string>();
  async function give(page: Page, participant: number, position: number, of: Question, label: string): Promise<void> {
    await choose(page, of, label);
    const { set, methods } = await revealed(codes[participant]!, position);
    given.set(`${participant} ${set} ${of}`, methods.get(label) ?? "undecided");
  }

  const heading = (page: Page, position: number) => page.getByText(`${position} of 8`, { exact: true }).waitFor();
  const next = (page: Page) => page.getByRole("button", { name: "Next" }).click();
  let [ann, ben]: Page[] = [];

  test("explains itself, and shows a subject, a text, pictures once, and two questions", async () => {
    ann = await openAs(0);
    await ann.getByText("You will see 8 sets of pictures").waitFor();
    await ann.getByRole("link", { name: "Begin" }).click();
    await heading(ann, 1);
    const { methods } = await revealed(codes[0]!, 1);
    expect(await ann.getByRole("img", { name: /^picture/ }).count()).toBe(methods.size);
    expect(await ann.getByRole("img", { name: /^the subject/ }).count()).toBe(1);
    expect(await ann.getByText(/“an? .*(dog|duck toy)/).count()).toBe(1);
    expect(await ann.content()).not.toContain("sks");
    // Every picture arrived.
    const widths = await ann
      .locator("img")
      .evaluateAll((all) => all.map((one) => (one as unknown as { naturalWidth: number }).naturalWidth));
    expect(Math.min(...widths)).toBeGreaterThan(0);
    // The page is nothing but the study: its links stay in it.
    const links = await ann
      .locator("a")
      .evaluateAll((all) => all.map((one) => (one as unknown as { href: string }).href));
    expect(links.every((link) => link.startsWith(`${server.url}${codes[0]}/`))).toBe(true);
  });

  test("does not go on before both questions are answered", async () => {
    await give(ann!, 0, 1, "subject", "A");
    await next(ann!);
    expect(await ann!.evaluate("document.querySelectorAll('input:invalid').length")).toBeGreaterThan(0);
    await heading(ann!, 1);
    await give(ann!, 0, 1, "text", "B");
    await next(ann!);
    await heading(ann!, 2);
  });

  test("keeps a single answer over a reload", async () => {
    await give(ann!, 0, 2, "subject", "B");
    await ann!.reload();
    expect(await group(ann!, "subject").getByLabel("B", { exact: true }).isChecked()).toBe(true);
    expect(await group(ann!, "text").locator(":checked").count()).toBe(0);
    await give(ann!, 0, 2, "text", "undecided");
    await next(ann!);
    await heading(ann!, 3);
  });

  test("keeps answers over a restart of the server, and leads back to the first set without one", async () => {
    ben = await openAs(1);
    await ben.getByRole("link", { name: "Begin" }).click();
    for (const position of [1, 2, 3]) {
      await heading(ben, position);
      await give(ben, 1, position, "subject", position === 2 ? "undecided" : "A");
      await give(ben, 1, position, "text", "undecided");
      await next(ben);
    }
    await heading(ben, 4);
    await ben.waitForLoadState();
    const port = Number(new URL(server.url).port);
    await server.close();
    server = await startStudy({ folder: study, port });
    await ben.goto(`${server.url}${codes[1]}/`);
    await ben.getByText("3 of 8 sets are answered").waitFor();
    await ben.getByRole("link", { name: "Continue" }).click();
    await heading(ben, 4);
    await ann!.reload();
    await heading(ann!, 3);
  });

  test("shows the two participants orders of their own", async () => {
    const order = async (code: string) => {
      const all = [];
      for (let position = 1; position <= 8; position++) all.push(await revealed(code, position));
      return JSON.stringify(all.map(({ set, methods }) => [set, ...methods.values()]));
    };
    expect(await order(codes[0]!)).not.toBe(await order(codes[1]!));
    expect(await order(codes[0]!)).toBe(await order(codes[0]!));
  });

  test("lets an answer be corrected until the end, and thanks then", async () => {
    for (let position = 3; position <= 8; position++) {
      await heading(ann!, position);
      await give(ann!, 0, position, "subject", position % 2 === 0 ? "A" : "B");
      await give(ann!, 0, position, "text", position % 3 === 0 ? "undecided" : "A");
      await next(ann!);
    }
    await ann!.getByText("All 8 sets are answered.").waitFor();
    for (const position of [8, 7]) {
      await ann!.getByRole("link", { name: "Back" }).click();
      await heading(ann!, position);
    }
    await give(ann!, 0, 7, "text", "undecided");
    await ann!.goto(`${server.url}${codes[0]}/end`);
    await ann!.getByRole("button", { name: "Finish" }).click();
    await ann!.getByText("Thank you.").waitFor();
    await ann!.goto(`${server.url}${codes[0]}/3`);
    await ann!.getByText("Thank you.").waitFor();

    for (let position = 4; position <= 8; position++) {
      await heading(ben!, position);
      await give(ben!, 1, position, "subject", "A");
      await give(ben!, 1, position, "text", "B");
      await next(ben!);
    }
    await ben!.getByRole("button", { name: "Finish" }).click();
    await ben!.getByText("Thank you.").waitFor();
    expect(problems).toEqual([]);
  });

  test("has results equal to a count by hand", async () => {
    expect(given.size).toBe(2 * 8 * 2);
    const { sets, settings: told } = JSON.parse(await readFile(join(study, "study.json"), "utf8"));
    const { shares, files } = (await tiller(["study", "results", study, "--json"])).json();
    expect(shares.participants).toEqual({ invited: 2, begun: 2, finished: 2 });
    for (const [setting, { methods }] of told.entries()) {
      for (const of of ["subject", "text"] as const) {
        const counted = [...methods, "undecided"].map((choice: string) => {
          const by = [0, 1].map(
            (participant) =>
              [...sets.keys()].filter(
                (set) => sets[set].setting === setting && given.get(`${participant} ${set} ${of}`) === choice,
              ).length,
          );
          return { choice, share: (by[0]! / 4 + by[1]! / 4) / 2 };
        });
        const found = shares.settings[setting][of].map(({ choice, share }: { choice: string; share: number }) => ({
          choice,
          share,
        }));
        expect(found).toEqual(counted.map(({ choice, share }) => ({ choice, share: expect.closeTo(share, 9) })));
      }
    }
    const csv = await readFile(files[0], "utf8");
    const lines = csv.trimEnd().split("\r\n").slice(1);
    expect(lines).toHaveLength(given.size);
    for (const [place, method] of given) {
      const [participant, set, of] = place.split(" ");
      const own = lines.filter(
        (line) => line.startsWith(`${Number(participant) + 1},true,`) && line.includes(`,${set},"`),
      );
      expect(own.some((line) => line.includes(`"${of}","${method}"`))).toBe(true);
    }
  });

  test("prints its shares as a table with intervals, and takes more participants", async () => {
    const { stdout } = await tiller(["study", "results", study]);
    expect(stdout).toContain("2 of 2 participants have finished.");
    expect(stdout).toMatch(/^first, 4 sets$/m);
    expect(stdout).toMatch(/^CFG\+AG +\d+\.\d % \[\d+\.\d %, \d+\.\d %\]/m);
    await tiller(["study", "invite", study, "--participants", "3"]);
    expect((await tiller(["study", "results", study])).stdout).toContain("2 of 5 participants have finished.");
  });

  test("is served once at a time", async () => {
    await expect(startStudy({ folder: study, port: 0 })).rejects.toMatchObject({ code: "folder-in-use" });
  });
});
