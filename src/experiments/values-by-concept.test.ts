import { expect, test } from "vitest";
import { byMetric } from "../metrics/fidelity.ts";
import { type PromptResult, valuesByConcept } from "./results.ts";

const result = (concept: string, prompt: string, dino: number): PromptResult => ({
  concept,
  prompt,
  scores: byMetric(({ name }) => (name === "clipI" ? 2 * dino : dino)),
  folder: "",
  seeds: [0],
});

test("differences are taken prompt by prompt, within each concept", () => {
  const ours = [result("cat", "a", 0.5), result("dog", "a", 0.75), result("cat", "b", 0.25)];
  const baseline = [result("cat", "a", 0.25), result("dog", "a", 0.5), result("cat", "b", 1)];
  expect(valuesByConcept(ours, "dino")).toEqual([[0.5, 0.25], [0.75]]);
  expect(valuesByConcept(ours, "dino", baseline)).toEqual([[0.25, -0.75], [0.25]]);
  expect(valuesByConcept(ours, "clipI", baseline)).toEqual([[0.5, -1.5], [0.5]]);
});
