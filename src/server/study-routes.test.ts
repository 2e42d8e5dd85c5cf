/** What a study's participants are sent, and what is refused. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chunksOf, methods, subjects, writeStudyPictures } from "../../test/study-pictures.ts";
import { invite, makeStudy, readStudyFile } from "../study/index.ts";
import { openSittings } from "../study/sitting.ts";
import { studyRoutes } from "./study-routes.ts";

let folder: string;
let study: string;
let app: Hono;
let code: string;
const open = async () => {
  const sittings = await openSittings(study);
  app = studyRoutes({ studyOf: async () => sittings, loopback: true });
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-study-"));
  study = join(folder, "secret-comparison");
  const { file } = await writeStudyPictures(folder, 3);
  await makeStudy(await readStudyFile(file), study);
  [code] = (await invite(study, 1)) as [string];
  await open();
});
afterEach(() => rm(folder, { recursive: true }));

const ask = (path: string, init: RequestInit = {}) =>
  app.request(`http://localhost/${path}`, { ...init, headers: { host: "localhost", ...init.headers } });
const send = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  ask(path, { method: "POST", body: new URLSearchParams(form), headers });

interface Served {
  readonly path: string;
  readonly headers: string;
  readonly body: Buffer;
}

/** Everything that a participant's browser can load, following every address of every page. */
async function everything(): Promise<Served[]> {
  const found = new Map<string, Served>();
  const left = [`${code}/`];
  for (let path = left.shift(); path !== undefined; path = left.shift()) {
    if (found.has(path)) continue;
    const answer = await ask(path);
    expect([path, answer.status]).toEqual([path, 200]);
    const body = Buffer.from(await answer.arrayBuffer());
    found.set(path, { path, headers: JSON.stringify([...answer.headers]), body });
    if (!answer.headers.get("content-type")!.startsWith("text/html")) continue;
    const addresses = [...body.toString().matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, address]) => address!);
    const base = `http://localhost/${path}`;
    left.push(
      ...addresses.filter((one) => !one.startsWith("data:")).map((one) => new URL(one, base).pathname.slice(1)),
    );
  }
  return [...found.values()];
}

const answerAll = async () => {
  for (let position = 1; position <= 6; position++) await send(`${code}/${position}`, { subject: "a", text: "b" });
};

describe("what is served", () => {
  test("is the whole study, and names no method, subject, setting, folder, file or seed", async () => {
    await answerAll();
    const served = await everything();
    // Three kinds of page with six sets, their three pictures, a style and a script.
    expect(served).toHaveLength(2 + 6 + 6 * 3 + 2);
    const hidden = [...methods, ...subjects, "two plants", "sks", "secret-comparison", folder, "study.json", ".txt"];
    const words = /fern|moss|cfg|guidance|omega|setting|seed|tiller/i;
    for (const { path, headers, body } of served) {
      const text = `${path}\n${headers}\n${body.toString("latin1")}`;
      expect([path, hidden.filter((word) => text.includes(word))]).toEqual([path, []]);
      if (!path.endsWith(".png")) expect([path, words.exec(text)?.[0]]).toEqual([path, undefined]);
    }
  });

  test("is the same to the byte if the methods have each other's names", async () => {
    await answerAll();
    const before = await everything();
    for (const name of ["study.json", join("answers", `${code}.json`)]) {
      const text = await readFile(join(study, name), "utf8");
      const swapped = text.replace(/Fern|Moss/g, (one) => (one === "Fern" ? "Moss" : "Fern"));
      expect(swapped).not.toBe(text);
      await writeFile(join(study, name), swapped);
    }
    await open();
    expect(await everything()).toEqual(before);
  });

  test("has pictures with nothing but pixels, and equal headers but for their lengths", async () => {
    await answerAll();
    const pictures = (await everything()).filter(({ path }) => path.endsWith(".png"));
    expect(pictures).toHaveLength(18);
    for (const { body } of pictures)
      expect(chunksOf(body).filter((chunk) => !["IHDR", "pHYs", "IDAT", "IEND"].includes(chunk))).toEqual([]);
    expect(new Set(pictures.map(({ headers }) => headers.replace(/\["content-length","\d+"\],?/, ""))).size).toBe(1);
  });

  test("has every picture of a set once, for both questions", async () => {
    const page = await (await ask(`${code}/1`)).text();
    for (const letter of ["a", "b"]) expect(page.match(new RegExp(`src="1/${letter}\\.png"`, "g"))).toHaveLength(1);
    expect(page.match(/<fieldset/g)).toHaveLength(2);
    expect(page.match(/type="radio"/g)).toHaveLength(6);
    expect(page).toMatch(/“an? (dog|animal) in place \d”/);
  });

  test("is not stored by browsers and proxies, and gives no address away", async () => {
    for (const { headers } of await everything()) {
      expect(headers).toContain('["cache-control","no-store"]');
      expect(headers).toContain('["referrer-policy","same-origin"]');
    }
  });
});

describe("answers", () => {
  test("lead on to the next set, and after the last to the end", async () => {
    expect((await send(`${code}/1`, { subject: "a", text: "undecided" })).headers.get("location")).toBe("2");
    expect((await send(`${code}/6`, { subject: "a", text: "a" })).headers.get("location")).toBe("end");
    expect(await (await ask(`${code}/end`)).text()).toContain("Set 2 is not answered yet");
    expect(await (await ask(`${code}/`)).text()).toMatch(/href="2">Continue/);
  });

  test("to one question are kept at once, and shown again", async () => {
    expect((await send(`${code}/3?keep`, { subject: "b" })).status).toBe(204);
    const page = await (await ask(`${code}/3`)).text();
    const [checked, ...others] = page.match(/<input[^>]*\bchecked\b[^>]*>/g)!;
    expect(checked).toMatch(/name="subject"[^>]*value="b"/s);
    expect(others).toEqual([]);
    // Without a script, the form comes again with what is missing.
    expect((await send(`${code}/3`, { subject: "a" })).headers.get("location")).toBe("3");
  });

  test("are final after the end, which thanks", async () => {
    await answerAll();
    expect((await send(`${code}/end`, {})).headers.get("location")).toBe("./");
    for (const path of ["", "end"]) expect(await (await ask(`${code}/${path}`)).text()).toContain("Thank you");
    expect((await ask(`${code}/1`)).headers.get("location")).toBe("./");
  });
});

/** The status and the sentence of a refusal. */
const refused = async (answer: Response | Promise<Response>) => {
  const { status, headers } = await answer;
  const text = await (await answer).text();
  expect(headers.get("content-type")).toMatch(/^text\/html/);
  return [status, /<h1>(.*?)<\/h1>/s.exec(text)![1]!] as const;
};

describe("one sentence answers", () => {
  test("an unknown participant", async () => {
    for (const path of ["0123456789abcdef0123/", "study.json/", "0123456789abcdef0123/1", "x/1/a.png"])
      expect(await refused(ask(path))).toEqual([404, expect.stringMatching(/^This is no participant.*\.$/)]);
  });

  test("a set out of range", async () => {
    for (const path of [`${code}/7`, `${code}/0`, `${code}/999999`])
      expect(await refused(ask(path))).toEqual([404, expect.stringMatching(/^There is no set \d+.*1 to 6\.$/)]);
    expect(await refused(send(`${code}/7`, { subject: "a" }))).toEqual([404, expect.stringContaining("no set 7")]);
    expect(await refused(ask(`${code}/1/d.png`))).toEqual([404, expect.stringContaining("no picture")]);
  });

  test("an answer after the end, and an end before the last answer", async () => {
    expect(await refused(send(`${code}/end`, {}))).toEqual([409, expect.stringContaining("Set 1")]);
    await answerAll();
    await send(`${code}/end`, {});
    expect(await refused(send(`${code}/1`, { subject: "b" }))).toEqual([409, expect.stringContaining("finished")]);
  });

  test("an answer that is none", async () => {
    for (const form of [{ subject: "d" }, { subject: "<b>" }, { text: "" }, {}, { other: "a" }])
      expect((await refused(send(`${code}/1`, form as Record<string, string>)))[0]).toBe(400);
    expect(
      (await refused(ask(`${code}/1`, { method: "POST", body: "{", headers: { "content-type": "text/plain" } })))[0],
    ).toBe(400);
  });

  test("a body that is too long", async () => {
    expect(await refused(send(`${code}/1`, { subject: "a".repeat(20_000) }))).toEqual([
      413,
      expect.stringContaining("10 KiB"),
    ]);
    expect((await refused(send(`${code}/end`, { x: "a".repeat(20_000) })))[0]).toBe(413);
  });

  test("a page of another origin, and another host name", async () => {
    const cross = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" };
    expect((await refused(ask(`${code}/1/a.png`, { headers: cross })))[0]).toBe(403);
    expect((await refused(send(`${code}/1`, { subject: "a" }, { origin: "http://example.org" })))[0]).toBe(403);
    expect((await refused(ask(`${code}/`, { headers: { host: "example.org" } })))[0]).toBe(403);
    // A link in a mail is followed by the participant.
    const followed = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect((await ask(`${code}/`, { headers: followed })).status).toBe(200);
  });

  test("a participant's file that is damaged, without its place", async () => {
    await writeFile(join(study, "answers", `${code}.json`), "{");
    const [status, sentence] = await refused(ask(`${code}/`));
    expect([status, sentence.includes(folder)]).toEqual([422, false]);
  });
});
