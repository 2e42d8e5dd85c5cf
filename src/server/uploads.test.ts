/** What decides whether an uploaded picture is read; the process that reads them is the server's own. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A picture of so many pixels a side that take some work. */
async function picture(side: number): Promise<{ name: string; from: string; to: string }> {
  const noise = { type: "gaussian" as const, mean: 128, sigma: 50 };
  const [from, to] = ["raw", "png"].map((extension) => join(folder, `${side}.${extension}`)) as [string, string];
  const empty = { width: side, height: side, channels: 3 as const, background: "white", noise };
  await writeFile(from, await sharp({ create: empty }).png().toBuffer());
  return { name: `${side}.png`, from, to };
}

/** Everything that the process said; `onRead` is called after each picture. */
function decode(work: object, onRead: (child: ChildProcess) => void = () => {}): Promise<unknown[]> {
  const child = fork(fileURLToPath(new URL("./decode.js", import.meta.url)), { execArgv: [], stdio: "ignore" });
  const said: unknown[] = [];
  child.on("message", (one) => {
    said.push(one);
    if (one === "read") onRead(child);
  });
  child.send(work);
  return new Promise((done) => child.once("close", () => done(said)));
}

test.each([
  ["pixels", { mostPixels: 100 * 100, mostSeconds: 60 }, /pixel limit/],
  ["work", { mostPixels: 1e9, mostSeconds: 0 }, /too much work/],
])("a picture of too many pixels or too much work is refused, and the next not begun: %s", async (_, limits, why) => {
  const files = [await picture(2000), await picture(1000)];
  expect(await decode({ files, largestSide: 64, ...limits })).toEqual([
    { name: "2000.png", why: expect.stringMatching(why) },
  ]);
});

// Held up as by a machine that has no time for it, for longer than the work may take.
test.skipIf(process.platform === "win32")("how long it takes decides nothing", async () => {
  const files = [await picture(500), await picture(2001)];
  const heldUp = async (child: ChildProcess) => {
    child.kill("SIGSTOP");
    await setTimeout(3000);
    child.kill("SIGCONT");
  };
  const said = await decode({ files, mostPixels: 1e9, mostSeconds: 2, largestSide: 64 }, (child) => void heldUp(child));
  expect(said).toEqual(["read", "read", {}]);
});
