/** Warns of options of `tiller train` without effect given the others. */
import { type TrainingMethodName, trainingMethodNames, trainingMethods } from "../index.ts";
import type { Output } from "./output.ts";

/** Each option with the parts of a method that use it; one of them suffices. */
const options = [
  ["rank", "--rank", ["lora"]],
  ["alpha", "--alpha", ["lora"]],
  ["semanticWeight", "--semantic-weight", ["semantic"]],
  ["pooling", "--pooling", ["semantic"]],
  ["priorWeight", "--prior-weight", ["prior"]],
  ["priorCount", "--prior-count", ["prior"]],
  ["classImages", "--class-images", ["prior"]],
  ["classPrompt", "--class-prompt", ["prior", "semantic"]],
] as const;

type Given = Partial<Record<(typeof options)[number][0] | "prior" | "samplePrompt" | "sampleEvery", unknown>>;

const listed = (names: readonly string[]): string =>
  new Intl.ListFormat("en-GB", { type: "disjunction" }).format(names);

/** Warns of each given option without effect. */
export function warnOfIdleTraining(method: TrainingMethodName, given: Given, output: Output): void {
  for (const [setting, option, parts] of options) {
    if (given[setting] === undefined) continue;
    const noticed = (name: TrainingMethodName, prior = true) =>
      parts.some((part) => trainingMethods[name][part] && (prior || part !== "prior"));
    if (!noticed(method)) {
      const others = listed(trainingMethodNames.filter((name) => noticed(name)));
      output.warn(`${option} has no effect with ${method}; it works with ${others}`);
    } else if (!noticed(method, given.prior !== false)) {
      output.warn(`${option} has no effect with --no-prior; it works with class images`);
    }
  }
  if (given.samplePrompt !== undefined && given.sampleEvery === undefined) {
    output.warn("--sample-prompt has no effect by itself; it works with --sample-every");
  }
}
