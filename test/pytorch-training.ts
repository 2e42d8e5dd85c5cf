/** What training must do as PyTorch does, for fixtures of any model and method. */
import { expect, test } from "vitest";
import type { Tensor } from "../src/runtime/index.ts";
import type { Evaluated } from "../src/training/objective/terms.ts";
import { gradientNorm, newAdamWState } from "../src/training/optimise/adamw.ts";
import { type OptimiserSettings, optimise } from "../src/training/optimise/optimise.ts";
import { dataOf } from "../src/training/optimise/tensor-values.ts";
import { relativeError } from "./fixtures.ts";

/** A fixture's tensors, the trained values at its start, and the loss with its gradients at a step. */
export interface TrainingFixture {
  readonly tensor: (name: string) => Promise<Tensor>;
  readonly values: Map<string, Tensor>;
  readonly objective: (step: number) => Promise<Evaluated>;
  /** What else the optimiser does. */
  readonly more?: Pick<OptimiserSettings, "rateOf" | "after">;
}

/** Removes the component, which the fixtures' names lack. */
export const bare = (name: string): string => name.slice(name.indexOf(":") + 1);

/** Defines the tests of a fixture, which `open` opens anew for each. */
export function followsPyTorch(
  open: () => Promise<TrainingFixture>,
  {
    learningRate,
    weightDecay,
    named = bare,
  }: {
    readonly learningRate: number;
    readonly weightDecay: number;
    /** A trained value's name in the fixture. */
    readonly named?: (name: string) => string;
  },
): void {
  test("has PyTorch's loss and gradients, within 1e-3", async () => {
    const { tensor, values, objective } = await open();
    const { loss, gradients } = await objective(0);
    expect(Math.abs(loss / (await tensor("losses")).data[0]! - 1)).toBeLessThan(1e-5);
    expect([...gradients.keys()].sort()).toEqual([...values.keys()].sort());
    for (const [name, data] of gradients) {
      const expected = await tensor(`gradient ${named(name)}`);
      expect(relativeError({ shape: expected.shape, data }, expected), name).toBeLessThan(1e-3);
    }
    const norm = (await tensor("norm")).data[0]!;
    expect(Math.abs(gradientNorm(new Map(gradients)) / norm - 1)).toBeLessThan(1e-4);
  });

  test("follows PyTorch for ten steps of AdamW, within 1e-3", async () => {
    const { tensor, values, objective, more } = await open();
    const settings = {
      steps: 10,
      accumulate: 1,
      learningRate,
      schedule: "constant",
      warmup: 0,
      weightDecay,
      clip: 1,
      ...more,
    } as const;
    const losses: number[] = [];
    const state = newAdamWState(dataOf(values));
    for await (const { loss } of optimise(values, state, objective, settings)) losses.push(loss);
    const expected = (await tensor("losses")).data;
    for (const [i, loss] of losses.entries()) expect(Math.abs(loss / expected[i]! - 1)).toBeLessThan(1e-3);
    for (const [name, found] of values) {
      expect(relativeError(found, await tensor(`final ${named(name)}`)), name).toBeLessThan(1e-3);
    }
  });
}
