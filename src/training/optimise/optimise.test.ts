/** The training loop with a prescribed loss. */
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { float32 } from "../../runtime/index.ts";
import type { Evaluated } from "../objective/terms.ts";
import { newAdamWState, type Update } from "./adamw.ts";
import { type OptimiserSettings, optimise, type StepDone } from "./optimise.ts";
import { dataOf } from "./tensor-values.ts";

const settings: OptimiserSettings = {
  steps: 2,
  accumulate: 1,
  learningRate: 0.1,
  schedule: "linear",
  warmup: 0,
  weightDecay: 0.25,
  clip: 1000,
};

async function run(objective: (draw: number) => Evaluated, more: Partial<OptimiserSettings> = {}, done = 0) {
  const values = new Map([["w", float32([1], [1])]]);
  const state = newAdamWState(dataOf(values));
  state.steps = done;
  const updates: { gradient: number; learningRate: number; weightDecay: number }[] = [];
  const update: Update = (_, gradients, of, { learningRate, weightDecay }) => {
    of.steps++;
    updates.push({ gradient: gradients.get("w")![0]!, learningRate, weightDecay });
  };
  const steps: StepDone[] = [];
  for await (const step of optimise(values, state, async (draw) => objective(draw), { ...settings, ...more }, update)) {
    steps.push(step);
  }
  return { steps, updates };
}

/** Loss n + 1 and gradient 10 (n + 1) for draw n. */
const counting = (draw: number): Evaluated => ({
  loss: draw + 1,
  gradients: new Map([["w", Float32Array.of(10 * (draw + 1))]]),
});

test("a step averages the draws it accumulates, and uses every draw once", async () => {
  const draws: number[] = [];
  const { steps, updates } = await run(
    (draw) => {
      draws.push(draw);
      return counting(draw);
    },
    { accumulate: 4 },
  );
  expect(draws).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(steps.map(({ step, loss, gradientNorm }) => [step, loss, gradientNorm])).toEqual([
    [1, 2.5, 25], // (1 + 2 + 3 + 4) / 4
    [2, 6.5, 65],
  ]);
  expect(updates.map(({ gradient }) => gradient)).toEqual([25, 65]);
});

test("a resumed run continues with the next draw and its learning rate", async () => {
  const { steps } = await run(counting, { accumulate: 2 }, 1);
  expect(steps).toEqual([{ step: 2, loss: 3.5, learningRate: 0.05, gradientNorm: 35 }]);
});

test("the gradient is clipped but its norm reported before clipping; learning rate and decay reach the update", async () => {
  const { steps, updates } = await run(counting, { clip: 5 });
  expect(steps.map(({ gradientNorm }) => gradientNorm)).toEqual([10, 20]);
  expect(updates).toEqual([
    { gradient: expect.closeTo(5, 5), learningRate: 0.1, weightDecay: 0.25 },
    { gradient: expect.closeTo(5, 5), learningRate: 0.05, weightDecay: 0.25 },
  ]);
});

test.each([
  ["loss", { loss: Number.NaN, gradients: new Map([["w", Float32Array.of(1)]]) }],
  ["gradient", { loss: 1, gradients: new Map([["w", Float32Array.of(Number.POSITIVE_INFINITY)]]) }],
])("a non-finite %s stops training before the update", async (name, evaluated) => {
  await expect(run(() => evaluated)).rejects.toThrow(refusal("training-diverged", "step 1", name, "0.1"));
});

test.each([Number.NaN, Number.NEGATIVE_INFINITY, 1e30])(
  "a step to %d stops training, even the last",
  async (reached) => {
    const values = new Map([["w", float32([2], [1, 1])]]);
    const update: Update = (flat, _, of) => {
      of.steps++;
      flat.get("w")![1] = reached;
    };
    const training = optimise(
      values,
      newAdamWState(dataOf(values)),
      async () => counting(0),
      { ...settings, steps: 1 },
      update,
    );
    await expect(training.next()).rejects.toThrow(refusal("training-diverged", "step 1", "w", "0.1"));
  },
);
