/** Limits on uploaded pictures, with the server's own decoding process. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
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

/** A square picture with that many pixels per side. */
async function picture(side: number): Promise<{ name: string; from: string; to: string }> {
  const [from, to] = ["raw", "png"].map((extension) => join(folder, `${side}.${extension}`)) as [string, string];
  const red = { width: side, height: side, channels: 3 as const, background: "red" };
  await writeFile(from, await sharp({ create: red }).png({ compressionLevel: 1 }).toBuffer());
  return { name: `${side}.png`, from, to };
}

/** All messages of the process; `meanwhile` may control it until it exits. */
async function decode(work: object, meanwhile: (child: ChildProcess) => unknown = () => {}): Promise<unknown[]> {
  const child = fork(fileURLToPath(new URL("./decode.js", import.meta.url)), { execArgv: [], stdio: "ignore" });
  const said: unknown[] = [];
  child.on("message", (one) => said.push(one));
  child.send(work);
  const closed = once(child, "close");
  await meanwhile(child);
  await closed;
  return said;
}

test.each([
  ["pixels", { mostPixels: 100 * 100, mostSeconds: 60 }, /pixel limit/],
  ["work", { mostPixels: 1e9, mostSeconds: 0 }, /too much work/],
])("a picture of too many pixels or too much work is refused, and the next not begun: %s", async (_, limits, why) => {
  const files = [await picture(200), await picture(100)];
  expect(await decode({ files, largestSide: 64, ...limits })).toEqual([
    { name: "200.png", why: expect.stringMatching(why) },
  ]);
});

test.skipIf(process.platform === "win32")("wall time on a busy machine does not count", async () => {
  const one = await picture(7000);
  // The process, which needs half a second, is suspended for longer than the limit.
  const heldUp = async (child: ChildProcess) => {
    while (child.connected && !existsSync(one.to)) await setTimeout(1);
    child.kill("SIGSTOP");
    await setTimeout(4000);
    child.kill("SIGCONT");
  };
  const said = await decode({ files: [one], mostPixels: 1e9, mostSeconds: 3, largestSide: 7000 }, heldUp);
  expect(said).toEqual(["read", {}]);
});
