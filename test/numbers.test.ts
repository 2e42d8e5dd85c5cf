/** The numbers in README.md and results/README.md are those of the committed results. `npm run check:numbers -- -u` makes them anew. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Findings, Results } from "../src/experiments/index.ts";
import { keptResults } from "../src/experiments/kept-results.ts";
import { intervals } from "../src/experiments/results.ts";
import type { MetricName } from "../src/metrics/fidelity.ts";
import { blocksOf, type Sources, withNumbers } from "./numbers.ts";

const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folders = readdirSync(root("results")).filter((name) => existsSync(root(`results/${name}/results.json`)));
const kept = new Map<string, Results>();
for (const folder of folders) kept.set(folder, (await keptResults(root(`results/${folder}`)))!);

const sources: Sources = {
  results: (experiment) => {
    const found = kept.get(experiment);
    if (!found) throw new Error(`there are no results of ${experiment}`);
    return found;
  },
  findings: () => JSON.parse(readFileSync(root("results/findings/findings.json"), "utf8")) as Findings,
};

test.each(["README.md", "results/README.md"])("the numbers in %s are those of the committed results", async (page) => {
  const text = readFileSync(root(page), "utf8");
  expect(blocksOf(text)).toBeGreaterThan(0);
  await expect(withNumbers(text, sources)).toMatchFileSnapshot(root(page));
});

test.each(folders)("the intervals in results/%s are those of its prompts' scores", (folder) => {
  const { arms } = kept.get(folder)!;
  for (const { name, scores, prompts } of arms)
    for (const [metric, made] of Object.entries(intervals(prompts))) {
      const held = scores[metric as MetricName]!;
      // Other machines' logarithms may differ in the last bit.
      for (const bound of ["mean", "low", "high"] as const)
        expect(held[bound], `${name}: ${metric}, ${bound}`).toBeCloseTo(made[bound], 9);
    }
});

test("a number that is not the results' is found", () => {
  const page = "<!-- numbers\nDINO {sixteen | cfg | dino}\n-->\nDINO 0.123\n<!-- /numbers -->";
  expect(withNumbers(page, sources)).toContain("-->\nDINO 0.640\n<!--");
});
