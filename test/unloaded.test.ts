/** What a command without a queue loads. Needs a build. */
import { execFile } from "node:child_process";
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

async function loadedBy(...words: string[]): Promise<string[]> {
  const preload = `data:text/javascript,${encodeURIComponent(registering)}`;
  const { stderr } = await promisify(execFile)(process.execPath, ["--import", preload, tiller, ...words], {
    maxBuffer: 1 << 26,
  });
  return stderr.split("\n").flatMap((line) => (line.startsWith("loads ") ? [line.slice("loads ".length)] : []));
}

test("without a queue, no package of queues and nothing of jobs is loaded", async () => {
  const loaded = await loadedBy("bench", "run", "--help");
  expect(loaded.some((url) => url.endsWith("/dist/cli/bench.js"))).toBe(true);
  expect(loaded.filter((url) => /node_modules\/(?:bullmq|ioredis|pg|aws4fetch)\//.test(url))).toEqual([]);
  expect(loaded.filter((url) => url.includes("/dist/jobs/"))).toEqual([]);
});
