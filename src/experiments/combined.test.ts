import { expect, test } from "vitest";
import { byMetric, usualMetrics } from "../metrics/fidelity.ts";
import { byConcept, combined } from "./combined.ts";
import type { PromptResult } from "./prompt-result.ts";

const result = (concept: string, prompt: string, dino: number): PromptResult => ({
  concept,
  prompt,
  scores: byMetric(usualMetrics, ({ name }) => (name === "clipI" ? 2 * dino : dino)),
  folder: "",
  seeds: [0],
});
const ours = [result("cat", "a", 0.5), result("dog", "a", 0.75), result("cat", "b", 0.25)];

test("differences are taken prompt by prompt, in any order, on the prompts that both have", () => {
  const baseline = [result("cat", "b", 1), result("cat", "a", 0.25), result("dog", "c", 1)];
  const terms = [
    { prompts: ours, factor: 1 },
    { prompts: baseline, factor: -1 },
  ];
  expect(combined(terms, "dino")).toEqual([
    { concept: "cat", prompt: "a", value: 0.25 },
    { concept: "cat", prompt: "b", value: -0.75 },
  ]);
  expect(combined(terms, "clipI").map(({ value }) => value)).toEqual([0.5, -1.5]);
});

test("rows are combined with their factors", () => {
  const terms = [1, -1, 0.5].map((factor) => ({ prompts: ours, factor }));
  expect(combined(terms, "dino").map(({ value }) => value)).toEqual([0.25, 0.375, 0.125]);
});

test("pictures are paired by seed where all rows have them", () => {
  const drawn = (seeds: number[], dino: number[]): PromptResult[] => [
    { ...result("cat", "a", 9), seeds, pictures: { dino } },
  ];
  const terms = [
    { prompts: drawn([0, 1, 2], [1, 2, 3]), factor: 1 },
    { prompts: drawn([2, 1], [0.5, 1]), factor: -1 },
  ];
  expect(combined(terms, "dino")).toEqual([
    { concept: "cat", prompt: "a", seed: 1, value: 1 },
    { concept: "cat", prompt: "a", seed: 2, value: 2.5 },
  ]);
  // Their pictures have no CLIP-I of their own.
  expect(combined(terms, "clipI")).toEqual([{ concept: "cat", prompt: "a", value: 0 }]);
});

test("a concept's mean is over its prompts, however many pictures each has", () => {
  const of = (prompt: string, value: number) => ({ concept: "cat", prompt, value });
  expect(byConcept([of("a", 1), of("a", 0), of("b", 1)])).toEqual(new Map([["cat", 0.75]]));
});
