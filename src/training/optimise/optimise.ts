/** The training loop: gradients, clipping, the optimiser's step, and a stop at non-finite numbers. */
import { areComputable } from "../../bytes/computable.ts";
import { TillerError } from "../../errors/index.ts";
import type { Tensor } from "../../runtime/index.ts";
import type { Evaluated } from "../objective/terms.ts";
import { type AdamWState, adamWStep, clipGradients, gradientNorm, type Update } from "./adamw.ts";
import { type LearningRateSchedule, learningRateFactor } from "./learning-rate.ts";
import { accumulate, dataOf, type TensorValues } from "./tensor-values.ts";

export interface OptimiserSettings {
  readonly steps: number;
  readonly accumulate: number;
  readonly learningRate: number;
  readonly schedule: LearningRateSchedule;
  readonly warmup: number;
  readonly weightDecay: number;
  /** The maximum norm of the gradient. */
  readonly clip: number;
  /** The factor of a tensor's learning rate at a step, from 0; 1 by default. */
  readonly rateOf?: (name: string, step: number) => number;
  /** Changes the values after each step. */
  readonly after?: (values: TensorValues) => void;
}

export interface StepDone {
  /** Steps done, from 1. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
}

/** AdamW's constants, the same for every method. */
const adamW = { betas: [0.9, 0.999], epsilon: 1e-8 } as const;

/**
 * Trains `values` in place from the step in `state` to the last; yields after every step.
 *
 * `objective(draw)` evaluates the loss on draw 0, 1 and so on. `update` is AdamW by default.
 *
 * @throws TillerError if the loss or a gradient is non-finite (`values` are then as after the previous step), or if the step
 * makes a value non-finite or too large.
 */
export async function* optimise(
  values: ReadonlyMap<string, Tensor>,
  state: AdamWState,
  objective: (draw: number) => Promise<Evaluated>,
  settings: OptimiserSettings,
  update: Update = adamWStep,
): AsyncGenerator<StepDone, void, undefined> {
  const flat = dataOf(values);
  while (state.steps < settings.steps) {
    const step = state.steps;
    let loss = 0;
    let gradients: TensorValues = new Map();
    for (let i = 0; i < settings.accumulate; i++) {
      const evaluated = await objective(step * settings.accumulate + i);
      loss += evaluated.loss / settings.accumulate;
      if (settings.accumulate === 1) gradients = evaluated.gradients;
      else accumulate(gradients, evaluated.gradients, 1 / settings.accumulate);
    }
    const norm = gradientNorm(gradients);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new TillerError(
        "training-diverged",
        `training diverged at step ${step + 1}: the ${Number.isFinite(loss) ? "gradient" : "loss"} is not finite; lower the learning rate (${settings.learningRate}).`,
      );
    }
    clipGradients(gradients, norm, settings.clip);
    const learningRate = settings.learningRate * learningRateFactor(settings.schedule, step, settings);
    const options = { ...adamW, learningRate, weightDecay: settings.weightDecay };
    await update(flat, gradients, state, options, (name) => settings.rateOf?.(name, step) ?? 1);
    settings.after?.(flat);
    for (const [name, data] of flat) {
      if (areComputable(data)) continue;
      throw new TillerError(
        "training-diverged",
        `training diverged at step ${step + 1}: ${name} is non-finite or too large; lower the learning rate (${settings.learningRate}).`,
      );
    }
    yield { step: step + 1, loss, learningRate, gradientNorm: norm };
  }
}
