/**
 * What a run may do differently with its text side, the learned token and the text encoder's factors: another learning rate, an end
 * before the last step, and drawing the token's embeddings back. Diffusers' advanced DreamBooth scripts do all three.
 */
import { readWeight } from "../../bytes/refuse-not-finite.ts";
import type { Model } from "../../families/family.ts";
import { scoped } from "../../models/components.ts";
import { stepsBefore } from "../../rounding.ts";
import type { OptimiserSettings } from "./optimise.ts";

/** The settings of a run that are about its text side. */
export interface TextSideSettings {
  readonly steps: number;
  readonly learningRate: number;
  readonly textLearningRate?: number | undefined;
  readonly textUntil?: number | undefined;
  readonly retract?: boolean | undefined;
}

/** The factor of each tensor's learning rate at a step, from 0, and what follows the step. */
export async function textSide(
  { components, text }: Pick<Model, "components" | "text">,
  { steps, learningRate, textLearningRate = learningRate, textUntil = 1, retract }: TextSideSettings,
): Promise<Pick<OptimiserSettings, "rateOf" | "after">> {
  const tables = text.embeddings;
  const isText = (name: string) =>
    tables.some(({ component, input }) => name === input || name.startsWith(scoped(component, "")));
  const end = stepsBefore(textUntil, steps);
  const rate = textLearningRate / learningRate;
  const deviations = new Map<string, number>();
  if (retract) {
    for (const { component, key, input } of tables)
      deviations.set(input, deviationOf(await readWeight(components.get(component)!.weights.get(key)!)));
  }
  return {
    rateOf: (name, step) => (isText(name) ? (step < end ? rate : 0) : 1),
    after(values) {
      for (const [input, deviation] of deviations) drawBack(values.get(input)!, deviation);
    },
  };
}

/** Scales embeddings by (the deviation that they should have / their own)^0.1. */
function drawBack(embeddings: Float32Array, deviation: number): void {
  const factor = (deviation / deviationOf(embeddings)) ** 0.1;
  for (let i = 0; i < embeddings.length; i++) embeddings[i] = embeddings[i]! * factor;
}

/** The standard deviation of all values, unbiased as PyTorch's. */
function deviationOf(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
