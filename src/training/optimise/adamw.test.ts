/** AdamW by hand: in PyTorch's fixtures the learning rates are too small to show the order of decay and step. */
import { expect, test } from "vitest";
import { type AdamWOptions, adamWStep, clipGradients, gradientNorm, newAdamWState } from "./adamw.ts";

const options: AdamWOptions = { learningRate: 0.1, betas: [0.9, 0.999], epsilon: 0.5, weightDecay: 0.5 };

/** The values after each step, starting from 1. */
function after(gradients: readonly number[], more: Partial<AdamWOptions> = {}, rate = 1): number[] {
  const values = new Map([["w", Float32Array.of(1)]]);
  const state = newAdamWState(values);
  return gradients.map((gradient) => {
    adamWStep(values, new Map([["w", Float32Array.of(gradient)]]), state, { ...options, ...more }, () => rate);
    return values.get("w")![0]!;
  });
}

test("the weights decay before the step, by the learning rate times the decay", () => {
  // torch.optim.AdamW: w = 1 (1 - 0.1 * 0.5) = 0.95; mean 0.05 / 0.1 = 0.5; square 0.00025 / 0.001 = 0.25, its root 0.5;
  // w = 0.95 - 0.1 * 0.5 / (0.5 + 0.5) = 0.9. Decay after the step would give 0.9025.
  // Then w = 0.9 * 0.95 = 0.855; mean (0.9 * 0.05 - 0.05) / 0.19 = -1 / 38; square 0.00049975 / 0.001999 = 0.25;
  // w = 0.855 + 0.1 / 38 = 0.8576316. Float32's rounding is 6e-8.
  const [first, second] = after([0.5, -0.5]);
  expect(first).toBeCloseTo(0.9, 6);
  expect(second).toBeCloseTo(0.855 + 0.1 / 38, 6);
});

test("without a gradient the weights only decay, and without decay they stay", () => {
  expect(after([0])[0]).toBeCloseTo(0.95, 7);
  expect(after([0], { weightDecay: 0 })[0]).toBe(1);
});

test("a tensor's own learning rate scales its step and its decay", () => {
  // 1 (1 - 0.2 * 0.5) - 0.2 * 0.5 = 0.8
  expect(after([0.5], {}, 2)[0]).toBeCloseTo(0.8, 6);
});

test("gradients are clipped by their global norm, and never enlarged", () => {
  const gradients = () => new Map([3, 4].map((value) => [String(value), Float32Array.of(value)]));
  expect(gradientNorm(gradients())).toBe(5);
  const long = gradients();
  clipGradients(long, 5, 1);
  expect([...long.values()].map(([value]) => value)).toEqual([expect.closeTo(0.6, 5), expect.closeTo(0.8, 5)]);
  const short = gradients();
  clipGradients(short, 5, 50);
  expect(short).toEqual(gradients());
});
