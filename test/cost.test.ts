/** `tiller bench cost`, as built: it starts a process for each method. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const small = ["--steps", "1", "--device", "cpu", "--precision", "float32", "--threads", "1"];

test("each method is drawn with in a process of its own; one that cannot draw says why", async () => {
  const command = [main, "bench", "cost", "--prompt", "a dog", ...small, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  const { costs } = JSON.parse(stdout);
  expect(costs.map(({ guidance, rows }: { guidance: string; rows?: number }) => [guidance, rows])).toEqual([
    ["none", 1],
    ["cfg", 2],
    ["sag", undefined],
    ["cfg+ag", 3],
    ["pg", 2],
  ]);
  expect(costs[2].why).toMatch(/learned token/);
  for (const { seconds, memory } of costs.filter(({ why }: { why?: string }) => !why)) {
    expect(seconds).toBeGreaterThan(0);
    // Node alone has some 40 MiB.
    expect(memory).toBeGreaterThan(60 * 2 ** 20);
  }
}, 120_000);

test("the second picture counts: the first also builds the networks", async () => {
  const built: number[] = [];
  const { json, requests } = await tiller(["bench", "cost", "--guidance", "cfg", "--prompt", "a dog", "--json"], {
    onStep: async (_, { seed }) => {
      if (seed === 0 && built.length === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      built.push(seed);
    },
  });
  expect(requests.map(({ seed }) => seed)).toEqual([0, 1]);
  expect(json().cost.seconds).toBeLessThan(0.3);
});

test("if no method can draw, the first reason is given", async () => {
  const words = ["bench", "cost", "--model", fixture("nowhere"), ...small, "--json"];
  const failed = await promisify(execFile)(process.execPath, [main, ...words]).catch((error) => error);
  expect(JSON.parse(failed.stdout).error).toEqual(refusal("cost-unknown", "nowhere"));
}, 120_000);
