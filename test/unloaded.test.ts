/** What a command without a queue loads. Needs a build. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const tiller = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Prints the address of every module as it is loaded. */
const hooks = `
  import { writeSync } from "node:fs";
  export async function load(url, context, next) { writeSync(2, "loads " + url + "\\n"); return next(url, context); }`;
const registering = `
  import { register } from "node:module";
  register("data:text/javascript,${encodeURIComponent(hooks)}");`;

const preload = `data:text/javascript,${encodeURIComponent(registering)}`;

const addressesIn = (text: string): string[] =>
  text.split("\n").flatMap((line) => (line.startsWith("loads ") ? [line.slice("loads ".length)] : []));

/** Packages of queues and stores. */
const packages = /node_modules\/(?:bullmq|ioredis|pg|aws4fetch)\//;

async function loadedBy(...words: string[]): Promise<string[]> {
  const { stderr } = await promisify(execFile)(process.execPath, ["--import", preload, tiller, ...words], {
    maxBuffer: 1 << 26,
  });
  return addressesIn(stderr);
}

test("without a queue, no package of queues and nothing of jobs is loaded", async () => {
  const loaded = await loadedBy("bench", "run", "--help");
  expect(loaded.some((url) => url.endsWith("/dist/cli/bench.js"))).toBe(true);
  expect(loaded.filter((url) => packages.test(url))).toEqual([]);
  expect(loaded.filter((url) => url.includes("/dist/jobs/"))).toEqual([]);
});

test("without a queue, Studio loads no package of queues and nothing of workers, also to draw", async () => {
  const data = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const child = spawn(process.execPath, [
    "--import",
    preload,
    tiller,
    "studio",
    "--json",
    "--port",
    "0",
    "--data",
    data,
  ]);
  const over = once(child, "exit");
  let loads = "";
  child.stderr.on("data", (piece) => (loads += piece));
  try {
    const [line] = await once(child.stdout, "data");
    const { url } = JSON.parse(String(line));
    const request = { prompt: "a cat", steps: 1 };
    const drawn = await fetch(new URL("/v1/images/generations", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    expect(drawn.status).toBe(200);
  } finally {
    child.kill("SIGINT");
    await over;
    await rm(data, { recursive: true });
  }
  const loaded = addressesIn(loads);
  expect(loaded.some((url) => url.endsWith("/dist/server/deliver-here.js"))).toBe(true);
  expect(loaded.filter((url) => packages.test(url))).toEqual([]);
  const others =
    /\/dist\/(?:experiments\/(?:fleet|shared-plan|experiment-worker)\.|jobs\/(?:bull|s3-)|server\/(?:deliver-to-workers|studio-worker|order)\.)/;
  expect(loaded.filter((url) => others.test(url))).toEqual([]);
});
